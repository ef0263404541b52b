"""Orders by which a test sets how requests go: the bodies of POST /_script."""

from collections import deque
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emulator.accounts import RequestKind, ScriptedOutcome
from emulator.anthropic import outcomes as anthropic_outcomes
from emulator.bing import outcomes as bing_outcomes
from emulator.blocks import AnswerBlock
from emulator.directives import check_script
from emulator.json_text import Json
from emulator.openai import outcomes as openai_outcomes
from emulator.openai import server_styles
from emulator.reply import ScriptedReply
from emulator.responses import outcomes as response_outcomes
from emulator.state import EmulatorState


class OutcomeOrder(BaseModel):
    """Outcome of the next `times` requests; times null: of all until it is changed. outcome null ends the script."""

    model_config = ConfigDict(extra="forbid")

    outcome: str | None
    times: int | None = Field(default=1, ge=1)


class ClockOrder(BaseModel):
    """Move the emulator's time forward by so many seconds."""

    model_config = ConfigDict(extra="forbid")

    advance: float = Field(ge=0, le=10**9)


class AnswerOrder(BaseModel):
    """The answer to one of the next questions, under /v1 only, block by block. sizes: a number is for all fragments."""

    model_config = ConfigDict(extra="forbid")

    blocks: list[AnswerBlock]
    sizes: Annotated[int, Field(ge=1)] | list[Annotated[int, Field(ge=1)]] | None = None
    finish_reason: str | None = None
    usage: Json | None = None
    extra: Json = Field(default_factory=dict)
    server: str | None = None

    def read(self) -> ScriptedReply:
        """Return the answer that is ordered."""
        sizes = (self.sizes,) if isinstance(self.sizes, int) else tuple(self.sizes or ())
        return ScriptedReply(tuple(self.blocks), sizes, self.finish_reason, self.usage, self.extra, self.server)


class ScriptOrder(BaseModel):
    """One order. account "*" means every account, for outcomes only."""

    model_config = ConfigDict(extra="forbid")

    reset: bool = False
    clock: ClockOrder | None = None
    account: str | None = Field(default=None, min_length=1)
    create: OutcomeOrder | None = None
    upgrade: OutcomeOrder | None = None
    chat: OutcomeOrder | None = None
    image: OutcomeOrder | None = None
    call: OutcomeOrder | None = None
    captcha: bool | None = None
    dead: bool | None = None
    quota_used: int | None = Field(default=None, ge=0)
    answers: list[AnswerOrder] | None = None

    @property
    def outcomes(self) -> dict[RequestKind, OutcomeOrder]:
        """The outcomes that are set, by the kind of request."""
        orders: dict[RequestKind, OutcomeOrder | None] = {
            "create": self.create,
            "upgrade": self.upgrade,
            "chat": self.chat,
            "image": self.image,
            "call": self.call,
        }
        return {kind: order for kind, order in orders.items() if order is not None}


def run(body: bytes, state: EmulatorState) -> None:
    """Carry out the order in a request's body. Raises ValueError with one sentence that names what is wrong."""
    apply(parse(body), state)


def parse(body: bytes) -> ScriptOrder:
    """Return the order in a request's body. Raises ValueError with one sentence that names what is wrong."""
    try:
        order = ScriptOrder.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from error
    for kind, outcome_order in order.outcomes.items():
        if outcome_order.outcome is not None:
            tables = (bing_outcomes, openai_outcomes, anthropic_outcomes, response_outcomes)
            check_script(outcome_order.outcome, frozenset().union(*(table.names(kind) for table in tables)))
    for answer in order.answers or ():
        if answer.server is not None and answer.server not in server_styles.SERVERS:
            raise ValueError(f"there is no server {answer.server!r}")
    states = (order.captcha, order.dead, order.quota_used, order.answers)
    if (order.outcomes or any(state is not None for state in states)) and order.account is None:
        raise ValueError("account is missing")
    return order


def apply(order: ScriptOrder, state: EmulatorState) -> None:
    """Carry out an order: a reset first, then the clock, then the account."""
    if order.reset:
        state.reset()
    if order.clock is not None:
        state.clock.advance(order.clock.advance)
    if order.account is None:
        return
    account = state.accounts.get(order.account)
    for kind, outcome_order in order.outcomes.items():
        if outcome_order.outcome is None:
            account.scripts.pop(kind, None)
        else:
            account.scripts[kind] = ScriptedOutcome(outcome_order.outcome, outcome_order.times)
    if order.answers is not None:
        account.replies = deque(answer.read() for answer in order.answers)
    if order.captcha is not None:
        account.captcha = order.captcha
    if order.dead is not None:
        account.dead = order.dead
    if order.quota_used is not None:
        account.set_used(order.quota_used, state.clock.now())
