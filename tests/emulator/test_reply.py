import json

from emulator import call_directives
from emulator.reply import OfferedTool, ReplyTask, ToolResult, compose
from emulator.sent_pictures import SentPicture

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER, TIME = OfferedTool("get_weather", SCHEMA), OfferedTool("get_time")
TOOLS = (WEATHER, TIME)
RESULTS = (ToolResult("get_weather", "sunny"), ToolResult("", "noon"))


def calls(task: ReplyTask) -> list[tuple[str, str]]:
    """Return the names and arguments of the calls that answer a task."""
    return [(block.name, block.text) for block in compose(task)[0] if block.kind == "tool_call"]


def text(task: ReplyTask) -> str:
    """Return the only block of an answer that is text."""
    (block,), is_ordinary = compose(task)
    assert (block.kind, is_ordinary) == ("text", False)
    return block.text


def directed(question: str, **fields: object) -> ReplyTask:
    directives, _ = call_directives.parse(question)
    return ReplyTask(directives=directives, tools=TOOLS, **fields)  # type: ignore[arg-type]


def test_tools_alone_are_not_called() -> None:
    assert compose(ReplyTask("hi", tools=TOOLS)) == ((), True)


def test_a_directive_calls_one_tool_with_its_arguments() -> None:
    assert calls(directed('!tool=get_weather {"city":"Paris"}')) == [("get_weather", '{"city":"Paris"}')]


def test_arguments_that_nobody_gave_fit_the_schema() -> None:
    assert calls(directed("!tool=get_weather")) == [("get_weather", '{"city":"some city"}')]


def test_rounds_follow_their_results_and_end_with_text() -> None:
    question = "!tool=get_weather !and=get_time !tool=get_time"
    assert [name for name, _ in calls(directed(question))] == ["get_weather", "get_time"]
    assert [name for name, _ in calls(directed(question, results=RESULTS))] == ["get_time"]
    assert text(directed(question, results=(*RESULTS, ToolResult("get_time", "one")))).splitlines() == [
        "get_weather returned: sunny",
        "The tool returned: noon",
        "get_time returned: one",
    ]


def test_calls_that_may_not_be_parallel_come_one_by_one() -> None:
    question = "!tool=get_weather !and=get_time"
    assert [name for name, _ in calls(directed(question, parallel=False))] == ["get_weather"]
    assert [name for name, _ in calls(directed(question, parallel=False, results=RESULTS[:1]))] == ["get_time"]


def test_a_required_call_is_made_and_a_named_one_is_the_named() -> None:
    assert [name for name, _ in calls(ReplyTask(tools=TOOLS, mode="required"))] == ["get_weather"]
    assert [name for name, _ in calls(ReplyTask(tools=TOOLS, mode="required", names=("get_time",)))] == ["get_time"]


def test_after_results_a_required_call_gives_the_answer_if_there_is_a_tool_for_it() -> None:
    tools = (WEATHER, OfferedTool("final_answer"))
    assert [name for name, _ in calls(ReplyTask(tools=tools, mode="required", results=RESULTS))] == ["final_answer"]


def test_a_tool_to_answer_with_quotes_the_results_where_it_takes_any_text() -> None:
    properties = {"answer": {"type": "string", "description": "all"}, "kind": {"enum": ["a", "b"]}}
    tools = (OfferedTool("final_answer", {"type": "object", "properties": properties}),)
    ((_, arguments),) = calls(ReplyTask(tools=tools, mode="required", results=RESULTS[:1]))
    assert json.loads(arguments) == {"answer": "get_weather returned: sunny", "kind": "a"}


def test_a_name_may_have_something_in_front() -> None:
    tools = (OfferedTool("ours-weather"), OfferedTool("subweather"), OfferedTool("weather-map"))
    directives, _ = call_directives.parse("!tool=weather")
    assert calls(ReplyTask(directives=directives, tools=tools)) == [("ours-weather", "{}")]


def test_no_tool_is_called_that_may_not_be() -> None:
    assert "get_time" in text(directed("!tool=unknown"))
    assert calls(directed("!tool=get_weather", mode="none")) == []
    assert calls(directed("!tool=get_weather", names=("get_time",))) == []


def test_a_custom_tool_gets_text() -> None:
    tools = (OfferedTool("code", custom=True),)
    for question, expected in (('!tool=code "print(1)"', "print(1)"), ('!tool=code {"a":1}', '{"a":1}')):
        directives, _ = call_directives.parse(question)
        (block,), _ = compose(ReplyTask(directives=directives, tools=tools))
        assert (block.text, block.custom) == (expected, True)


def test_json_fits_what_was_asked_for() -> None:
    assert json.loads(text(ReplyTask(schema=SCHEMA))) == {"city": "some city"}
    assert json.loads(text(ReplyTask("cats", is_json=True, results=RESULTS))) == {
        "answer": "cats",
        "results": ["sunny", "noon"],
    }


def test_pictures_are_described() -> None:
    task = ReplyTask(pictures=(SentPicture("", "image/png", 70, 1, 2), SentPicture("https://example.com/a")))
    assert text(task).splitlines() == [
        "Pictures: 2.",
        "Picture 1: image/png, 70 bytes, 1x2.",
        "Picture 2: at https://example.com/a.",
    ]


def test_thoughts_come_first_and_the_ordinary_text_may_follow() -> None:
    (block,), is_ordinary = compose(ReplyTask(thoughts=2))
    assert (block.kind, is_ordinary) == ("reasoning", True)
    assert [block.kind for block in compose(directed("!tool=get_time", thoughts=1))[0]] == ["reasoning", "tool_call"]


def test_a_text_can_be_dictated() -> None:
    assert text(directed('!say "exactly this"')) == "exactly this"
