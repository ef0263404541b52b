"""What is answered to a request, as blocks, whichever API it came by."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from emulator import json_schema
from emulator.blocks import AnswerBlock
from emulator.call_directives import CallDirectives
from emulator.json_text import Json, dump
from emulator.sent_pictures import SentPicture

THOUGHTS = ("The user asks something. ", "I know nothing about it. ", "I say so.")
QUOTED = 10_000  # characters of a tool's result that an answer quotes
# By such a tool an agent is given its answer, if it must always call one.
ANSWERING = re.compile("final|finish|finali[sz]e|complet|submit|done|answer|respon|result|output", re.IGNORECASE)

CallMode = Literal["none", "auto", "required"]


@dataclass(frozen=True)
class OfferedTool:
    """A tool that a client offers. schema: of its arguments. custom: they are any text."""

    name: str
    schema: Json | None = None
    custom: bool = False


@dataclass(frozen=True)
class ToolResult:
    """What a tool returned. name: of the tool, as far as it is known."""

    name: str
    text: str


@dataclass(frozen=True)
class ScriptedReply:
    """An answer exactly as a test wants it.

    sizes: characters in each fragment, the last one for all that follow; none: as usual. finish_reason, usage: in place
    of the usual ones. extra: fields of each event and of the whole answer. server: the row of the table of servers.
    """

    blocks: tuple[AnswerBlock, ...]
    sizes: tuple[int, ...] = ()
    finish_reason: str | None = None
    usage: Json | None = None
    extra: Json = field(default_factory=dict)
    server: str | None = None


@dataclass(frozen=True)
class ReplyTask:
    """All that decides the blocks of an answer.

    results: since the user's directives. names: the only tools that may be called, all if empty. calls: how many to
    make if nobody asks for any. thoughts: how many. schema: the form of the answer; is_json: it is any object.
    """

    topic: str = ""
    directives: CallDirectives = field(default_factory=CallDirectives)
    tools: tuple[OfferedTool, ...] = ()
    mode: CallMode = "auto"
    names: tuple[str, ...] = ()
    parallel: bool = True
    results: tuple[ToolResult, ...] = ()
    calls: int = 0
    thoughts: int = 0
    schema: Json | None = None
    is_json: bool = False
    pictures: tuple[SentPicture, ...] = ()

    @property
    def callable_tools(self) -> tuple[OfferedTool, ...]:
        """The tools that may be called."""
        if self.mode == "none":
            return ()
        return tuple(tool for tool in self.tools if not self.names or tool.name in self.names)


def compose(task: ReplyTask) -> tuple[tuple[AnswerBlock, ...], bool]:
    """Return the blocks of an answer, and whether the ordinary text follows them."""
    blocks = think(task.thoughts)
    calls = _calls(task)
    if calls:
        return (*blocks, *calls), False
    text = _text(task)
    if text is None:
        return tuple(blocks), True
    return (*blocks, AnswerBlock("text", text)), False


def think(count: int) -> list[AnswerBlock]:
    """Return so many thoughts as one block, none for 0."""
    thoughts = "".join(THOUGHTS[number % len(THOUGHTS)] for number in range(count))
    return [AnswerBlock("reasoning", thoughts)] if count else []


def find_tool(tools: Sequence[OfferedTool], name: str) -> OfferedTool | None:
    """Return the tool of a name, else one to whose name its client has put something in front, as in `ours-NAME`."""
    exact = [tool for tool in tools if tool.name == name]
    prefixed = [tool for tool in tools if re.search(rf"[^a-zA-Z0-9]{re.escape(name)}$", tool.name)]
    return next(iter([*exact, *prefixed]), None)


def _calls(task: ReplyTask) -> list[AnswerBlock]:
    tools = task.callable_tools
    directed = [(find_tool(tools, call.name), call) for call in task.directives.next_round(len(task.results))]
    calls = [_call(tool, call.arguments, task) for tool, call in directed if tool is not None]
    if not calls and tools:
        calls = [_call(tool, None, task) for tool in _undirected(task, tools)]
    return calls if task.parallel else calls[:1]


def _undirected(task: ReplyTask, tools: Sequence[OfferedTool]) -> list[OfferedTool]:
    if task.mode == "required":
        answering = [tool for tool in tools if ANSWERING.search(tool.name)]
        return answering[:1] if task.results and answering else [tools[0]]
    count = 0 if task.results else task.calls
    return [tools[number % len(tools)] for number in range(count)]


def _call(tool: OfferedTool, arguments: str | None, task: ReplyTask) -> AnswerBlock:
    if tool.custom:
        text = arguments or task.topic or "some input"
        if text.startswith('"') and arguments:
            text = json.loads(arguments)
    else:
        text = arguments or dump(_fit_arguments(tool, task))
    return AnswerBlock("tool_call", text, name=tool.name, custom=tool.custom)


def _fit_arguments(tool: OfferedTool, task: ReplyTask) -> Json:
    """Return arguments that fit; those that are any text quote the results, if the tool is one to answer with."""
    schema = tool.schema or {"type": "object"}
    built: Json = json_schema.example(schema)
    if task.results and ANSWERING.search(tool.name):
        properties = schema.get("properties") or {}
        free = [name for name in built if not properties.get(name, {}).keys() - {"type", "description", "title"}]
        built |= {name: _quote(task.results) for name in free if isinstance(built[name], str)}
    return built


def _quote(results: Sequence[ToolResult]) -> str:
    return "\n".join(f"{result.name or 'The tool'} returned: {result.text[:QUOTED]}" for result in results)


def _text(task: ReplyTask) -> str | None:
    """Return the text of an answer that isn't the ordinary one."""
    if task.directives.say is not None:
        return task.directives.say
    if task.schema is not None:
        return dump(json_schema.example(task.schema))
    if task.is_json:
        results = {"results": [result.text for result in task.results]} if task.results else {}
        return dump({"answer": task.topic, **results})
    if task.results:
        return _quote(task.results)
    unknown = [call.name for call in task.directives.next_round(0)]
    if unknown:
        offered = ", ".join(tool.name for tool in task.callable_tools) or "none"
        return f"No tool named {', '.join(unknown)} may be called. Those that may: {offered}."
    if task.pictures:
        lines = [f"Picture {number}: {one.describe()}." for number, one in enumerate(task.pictures, 1)]
        return "\n".join([f"Pictures: {len(task.pictures)}.", *lines])
    return None
