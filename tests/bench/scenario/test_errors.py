"""What counts as an answer, a refusal, and an error."""

import pytest

from bench.scenario.errors import RefusedError, WrongEndError, check


def test_a_success_gives_its_data() -> None:
    assert check({"code": 200, "message": "success", "data": [1]}, {}) == [1]


@pytest.mark.parametrize(
    ("code", "message"), [(503, "服务繁忙,请稍后再试"), (429, "请求过多,请稍后再试"), (120, "已上限,24小时后尝试")]
)
def test_a_refusal_that_says_when_to_come_back_is_no_error(code: int, message: str) -> None:
    with pytest.raises(RefusedError) as refused:
        check({"code": code, "message": message}, {"Retry-After": "7"})
    assert refused.value.code == code
    assert refused.value.retry_after == 7


@pytest.mark.parametrize("headers", [{}, {"Retry-After": ""}, {"Retry-After": "soon"}])
def test_a_response_that_refuses_without_saying_when_to_come_back_is_wrong(headers: dict[str, str]) -> None:
    with pytest.raises(WrongEndError, match="without Retry-After"):
        check({"code": 503, "message": "服务繁忙,请稍后再试"}, headers)


def test_a_frame_can_not_say_when_to_come_back() -> None:
    with pytest.raises(RefusedError) as refused:
        check({"code": 503, "message": "服务繁忙,请稍后再试"})
    assert refused.value.retry_after == 0


@pytest.mark.parametrize(("code", "message"), [(500, "未知错误"), (120, "token不存在"), (404, "未找到文件")])
def test_any_other_code_is_an_error(code: int, message: str) -> None:
    with pytest.raises(WrongEndError, match=f"{code} {message}"):
        check({"code": code, "message": message}, {"Retry-After": "7"})


@pytest.mark.parametrize("body", [None, [], "ok", {"message": "success"}])
def test_what_is_neither_is_wrong(body: object) -> None:
    with pytest.raises(WrongEndError):
        check(body, {})
