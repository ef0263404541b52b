"""The items of an input as the documentation has them."""

import re

from gateway.docs import openapi
from gateway.openai.responses.item_fields import INPUT_ITEMS

SCHEMAS = openapi.document()["components"]["schemas"]


def test_all_kinds_of_items_are_documented() -> None:
    kinds = [kind["$ref"].rpartition("/")[2] for kind in SCHEMAS["InputItem"]["anyOf"]]
    assert kinds == [item.__name__ for item in INPUT_ITEMS]
    assert SCHEMAS.keys() >= set(kinds)


def test_calls_of_functions_are_no_calls_of_other_tools() -> None:
    for name in ("ToolCallItem", "ToolOutputItem"):
        kind = SCHEMAS[name]["properties"]["type"]
        assert all(re.search(kind["pattern"], other) for other in kind["not"]["enum"])
