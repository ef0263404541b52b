from emulator.responses.response_store import RememberedResponse, ResponseStore


def test_a_response_has_its_history_and_its_items_are_found() -> None:
    store = ResponseStore()
    response = RememberedResponse(({"id": "a"},), {"id": "resp_1", "output": [{"id": "b"}]})
    store.add(response)
    assert store.find("resp_1") is response
    assert response.history == ({"id": "a"}, {"id": "b"})
    assert store.find_item("b") == {"id": "b"}
    assert store.find_item("c") is None


def test_the_oldest_is_forgotten() -> None:
    store = ResponseStore(limit=1)
    for name in ("resp_1", "resp_2"):
        store.add(RememberedResponse((), {"id": name, "output": []}))
    assert store.find("resp_1") is None
    store.clear()
    assert store.find("resp_2") is None
