from emulator.openai.signatures import sign, sign_call


def test_a_signature_is_of_one_model_one_kind_and_one_text() -> None:
    assert sign("m", "k", "t") == sign("m", "k", "t")
    assert len({sign("m", "k", "t"), sign("n", "k", "t"), sign("m", "l", "t"), sign("m", "k", "u")}) == 4


def test_how_arguments_are_written_makes_no_difference() -> None:
    assert sign_call("m", "f", '{"a":1,"b":2}') == sign_call("m", "f", '{"b": 2, "a": 1}')
    assert sign_call("m", "f", "no JSON") != sign_call("m", "f", "{}")
