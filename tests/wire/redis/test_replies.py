"""Raw replies as what they mean."""

from wire.redis.replies import hash_fields, scores


def test_a_hash_is_read_by_its_fields() -> None:
    assert hash_fields([b"a", b"1", b"b", b""]) == {b"a": b"1", b"b": b""}
    assert hash_fields([]) == {}


def test_members_keep_their_order_and_have_numbers_as_scores() -> None:
    assert list(scores([b"late", b"1.5", b"early", b"3"]).items()) == [("late", 1.5), ("early", 3.0)]
