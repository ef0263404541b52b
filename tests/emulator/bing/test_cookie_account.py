import pytest
from aiohttp.test_utils import make_mocked_request

from emulator.bing.cookie_account import account_name


@pytest.mark.parametrize(("cookie", "name"), [("_U=a1; other=x", "a1"), ("other=x", "anonymous"), ("_U=", "anonymous")])
def test_the_account_is_the_value_of_a_cookie(cookie: str, name: str) -> None:
    assert account_name(make_mocked_request("GET", "/", headers={"Cookie": cookie})) == name
