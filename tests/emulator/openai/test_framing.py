from hypothesis import given
from hypothesis import strategies as st

from emulator.openai.framing import Framing

FRAMINGS = st.builds(
    Framing,
    line_end=st.sampled_from(["\n", "\r\n"]),
    space=st.sampled_from(["", " "]),
    ping=st.booleans(),
    cut=st.integers(0, 9),
)


@given(FRAMINGS, st.lists(st.text("ab{}猫", max_size=9), max_size=4))
def test_every_framing_says_the_same(framing: Framing, said: list[str]) -> None:
    data = b"".join(framing.writes([framing.event(one) for one in said])).decode()
    assert data.count(framing.line_end) == data.count("\n")
    lines = data.split(framing.line_end)
    assert [line[5 + len(framing.space) :] for line in lines if line.startswith("data:")] == said
    assert lines.count(": ping") == (len(said) if framing.ping else 0)


@given(st.integers(1, 9), st.text(max_size=20))
def test_a_write_has_so_many_bytes(cut: int, text: str) -> None:
    *full, last = list(Framing(cut=cut).writes([Framing().event(text.encode("utf-8", "replace").decode())]))
    assert all(len(data) == cut for data in full)
    assert 0 < len(last) <= cut
