from hypothesis import given
from hypothesis import strategies as st

from emulator.sse_layout import SseLayout

LAYOUTS = st.builds(
    SseLayout,
    line_end=st.sampled_from(["\n", "\r\n"]),
    space=st.sampled_from(["", " "]),
    ping=st.booleans(),
    cut=st.integers(0, 9),
)


@given(LAYOUTS, st.lists(st.text("ab{}猫", max_size=9), max_size=4))
def test_every_layout_says_the_same(layout: SseLayout, data_texts: list[str]) -> None:
    data = b"".join(layout.writes([layout.event(text) for text in data_texts])).decode()
    assert data.count(layout.line_end) == data.count("\n")
    lines = data.split(layout.line_end)
    assert [line[5 + len(layout.space) :] for line in lines if line.startswith("data:")] == data_texts
    assert lines.count(": ping") == (len(data_texts) if layout.ping else 0)


@given(st.integers(1, 9), st.text(max_size=20))
def test_a_write_has_so_many_bytes(cut: int, text: str) -> None:
    *full, last = list(SseLayout(cut=cut).writes([SseLayout().event(text.encode("utf-8", "replace").decode())]))
    assert all(len(data) == cut for data in full)
    assert 0 < len(last) <= cut
