"""Count the tokens of a prompt at a server that has Anthropic's `/messages/count_tokens`."""

import msgspec

from wire.messages import Operation
from wire.prompt import Prompt
from wire.reasons import Reason
from wire.threads import run_sized
from worker.accounts.account import ServerAccount
from worker.errors import UpstreamError
from worker.providers import CallResult
from worker.providers.anthropic.message_request import MessageForm, write_request
from worker.providers.anthropic.own_fields import keep_own_fields

COUNT_TOKENS: Operation = "count_tokens"
# The fields of a message that a request to count has too; the others say how to answer.
_COUNTED = frozenset(
    {"messages", "system", "tools", "tool_choice", "thinking", "output_config", "mcp_servers", "context_management"}
)
LACKING = "The model's server counts no tokens."
LARGEST_COUNT = 64 * 1024


class _ServerCount(msgspec.Struct):
    input_tokens: int


_count = msgspec.json.Decoder(_ServerCount)
_prompt = msgspec.json.Decoder(Prompt)


async def write_count_request(server: ServerAccount, model: str, body: bytes) -> bytes:
    """Return the request's body for a call whose body is a prompt. UpstreamError for what the API has no form for.

    What the model thought in earlier answers doesn't count there, and is left out.
    """
    return await run_sized(len(body), _write, server, model, body)


def _write(server: ServerAccount, model: str, body: bytes) -> bytes:
    prompt = msgspec.structs.replace(keep_own_fields(_prompt.decode(body)), model=model)
    form = MessageForm(system=server.system, sees="pictures" in server.abilities, thinking=False)
    fields = {name: value for name, value in write_request(prompt, form).items() if name in _COUNTED}
    return msgspec.json.encode({"model": model, **fields})


def parse_count(content: bytes) -> CallResult:
    """Return the count of a reply. UpstreamError `upstream.protocol` if it has none."""
    try:
        counted = _count.decode(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "no count of tokens") from error
    if counted.input_tokens < 0:
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "no count of tokens")
    return CallResult(msgspec.json.encode(counted))
