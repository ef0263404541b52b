"""The error tree."""

import inspect

from wire import errors


def test_every_error_has_the_one_root_and_is_in_the_tree() -> None:
    classes = [error for error in vars(errors).values() if inspect.isclass(error)]
    assert errors.__doc__ is not None
    for error in classes:
        assert issubclass(error, errors.WireError)
        assert error.__name__ in errors.__doc__


def test_a_full_queue_says_when_to_come_back() -> None:
    error = errors.QueueFullError(7)
    assert error.retry_after == 7
    assert "7 s" in str(error)
