"""What a test tells the stand-in: POST /_script."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emulator import outcomes, words
from emulator.accounts import Account, Kind, Scripted
from emulator.bing import Bing
from emulator.openai.outcomes import names as openai_names


class ScriptedOutcome(BaseModel):
    """Outcome of the next `times` requests; times null: of all until it is changed. outcome null ends the script."""

    model_config = ConfigDict(extra="forbid")

    outcome: str | None
    times: int | None = Field(default=1, ge=1)


class ClockMove(BaseModel):
    model_config = ConfigDict(extra="forbid")

    advance: float = Field(ge=0, le=10**9)


class Script(BaseModel):
    """One order. account "*" means every account, for outcomes only."""

    model_config = ConfigDict(extra="forbid")

    reset: bool = False
    clock: ClockMove | None = None
    account: str | None = Field(default=None, min_length=1)
    create: ScriptedOutcome | None = None
    upgrade: ScriptedOutcome | None = None
    chat: ScriptedOutcome | None = None
    image: ScriptedOutcome | None = None
    captcha: bool | None = None
    dead: bool | None = None
    quota_used: int | None = Field(default=None, ge=0)


def parse(body: bytes) -> Script:
    """The order in a request's body. Raises ValueError with one sentence that says what is wrong."""
    try:
        script = Script.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from error
    for kind, told in _outcomes(script).items():
        if told.outcome is not None:
            words.check(told.outcome, outcomes.names(kind) | openai_names(kind))
    states = (script.captcha, script.dead, script.quota_used)
    if (_outcomes(script) or any(state is not None for state in states)) and script.account is None:
        raise ValueError("account is missing")
    return script


def apply(script: Script, bing: Bing) -> None:
    """Carry out an order: a reset first, then the clock, then the account."""
    if script.reset:
        bing.forget()
    if script.clock is not None:
        bing.clock.advance(script.clock.advance)
    if script.account is None:
        return
    account = bing.accounts.get(script.account)
    for kind, told in _outcomes(script).items():
        _set(account, kind, told)
    if script.captcha is not None:
        account.captcha = script.captcha
    if script.dead is not None:
        account.dead = script.dead
    if script.quota_used is not None:
        account.set_used(script.quota_used, bing.clock.now())


def _outcomes(script: Script) -> dict[Kind, ScriptedOutcome]:
    told: dict[Kind, ScriptedOutcome | None] = {
        "create": script.create,
        "upgrade": script.upgrade,
        "chat": script.chat,
        "image": script.image,
    }
    return {kind: one for kind, one in told.items() if one is not None}


def _set(account: Account, kind: Kind, told: ScriptedOutcome) -> None:
    if told.outcome is None:
        account.scripts.pop(kind, None)
    else:
        account.scripts[kind] = Scripted(told.outcome, told.times)
