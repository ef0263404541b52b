import tracemalloc

from wire.text_parts import TextParts


def test_the_text_is_that_of_all_parts_in_their_order() -> None:
    parts = TextParts("a")
    for number in range(2000):
        parts.append(f"{number},")
    assert parts.text == "a" + "".join(f"{number}," for number in range(2000))
    assert parts
    assert TextParts("").text == ""
    assert not TextParts("")


def test_parts_of_two_characters_take_hardly_more_than_their_text() -> None:
    parts, count = TextParts(), 100_000
    tracemalloc.start()
    try:
        for number in range(count):
            parts.append(f"{number % 90 + 10}")
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A list of them takes 58 bytes for each.
    assert taken < 4 * count + 64 * 1024
    assert len(parts.text) == 2 * count
