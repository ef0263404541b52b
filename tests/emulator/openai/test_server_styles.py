from pathlib import Path

import emulator
from emulator.openai import server_styles
from emulator.openai.server_styles import ORDINARY, SERVERS


def test_a_server_is_found_by_model_or_by_name() -> None:
    assert server_styles.find("stand-in-gemini", None) is SERVERS["gemini"]
    assert server_styles.find("stand-in-gemini", "mistral") is SERVERS["mistral"]
    assert server_styles.find("stand-in", "unknown") is ORDINARY
    assert server_styles.find("gemini", None) is ORDINARY


def test_ids_are_made_as_each_server_makes_them() -> None:
    assert len(SERVERS["mistral"].make_id()) == 9
    assert SERVERS["vllm"].make_id().startswith("chatcmpl-tool-")
    assert SERVERS["calls-no-id"].make_id() == ""
    assert ORDINARY.make_id() != ORDINARY.make_id()


def test_the_readme_lists_every_server_with_its_meaning() -> None:
    readme = (Path(str(emulator.__file__)).parent / "README.md").read_text(encoding="utf-8")
    for name, style in SERVERS.items():
        assert f"| `{name}` | {style.meaning} |" in readme
