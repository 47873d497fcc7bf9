import hashlib
import json

import pytest

from service.security.keys import PREFIX, Keys, KeysError

TODAY = "2026-01-01"


def with_one() -> tuple[Keys, str]:
    return Keys().with_new("ci", ["predict"], TODAY)


def test_a_key_is_known_again_and_nothing_else_is() -> None:
    keys, made = with_one()
    found = keys.find(made)
    assert found is not None
    assert (found.name, found.scopes) == ("ci", ("predict",))
    for other in ("", made[:-1], made + "a", made.upper(), PREFIX, found.sha256, "ö", "\ud800"):
        assert keys.find(other) is None


def test_what_is_kept_is_a_digest_and_not_the_key() -> None:
    keys, made = with_one()
    written = keys.written()
    assert made.removeprefix(PREFIX).encode() not in written
    (kept,) = json.loads(written)["keys"]
    assert kept["sha256"] == hashlib.sha256(made.encode()).hexdigest()
    assert Keys.read(written) == keys


def test_keys_are_long_and_all_different() -> None:
    keys, made = Keys(), set()
    for i in range(50):
        keys, key = keys.with_new(f"k{i}", ["predict"], TODAY)
        made.add(key)
    assert len(made) == 50
    assert all(len(key) == len(PREFIX) + 43 for key in made)  # 256 bits in base64


def test_a_revoked_key_is_not_known_any_more_and_the_others_are() -> None:
    keys, made = with_one()
    keys, other = keys.with_new("camera", ["subnet", "predict"], TODAY)
    keys = keys.without("ci")
    assert keys.find(made) is None
    assert keys.find(other) is not None


def test_names_are_unique_and_plain() -> None:
    keys, _ = with_one()
    with pytest.raises(KeysError, match="already"):
        keys.with_new("ci", ["predict"], TODAY)
    with pytest.raises(KeysError, match="known are: ci"):
        keys.without("nobody")
    for name in ("", "CI", "a b", "../x", "a" * 65, "a\n"):
        with pytest.raises(KeysError, match="name"):
            keys.with_new(name, ["predict"], TODAY)


GOOD = {"name": "a", "sha256": "0" * 64, "scopes": ["predict"], "created": TODAY}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("[]", "it"),
        ('{"keys": {}}', "keys"),
        ('{"other": []}', "other"),
        (json.dumps({"keys": [GOOD | {"sha256": "0" * 63}]}), "keys.0.sha256"),
        (json.dumps({"keys": [GOOD | {"scopes": []}]}), "keys.0.scopes"),
        (json.dumps({"keys": [GOOD | {"scopes": ["root"]}]}), "keys.0.scopes"),
        (json.dumps({"keys": [GOOD | {"admin": True}]}), "keys.0.admin"),
        (json.dumps({"keys": [GOOD, GOOD | {"sha256": "1" * 64}]}), "name a stands there twice"),
        (json.dumps({"keys": [GOOD, GOOD | {"name": "b"}]}), "twice"),
    ],
)
def test_a_file_of_another_shape_is_refused_with_the_place(content: str, says: str) -> None:
    with pytest.raises(KeysError, match=says):
        Keys.read(content.encode())


def test_a_key_that_stands_where_its_digest_should_is_not_repeated() -> None:
    _, made = with_one()
    with pytest.raises(KeysError) as error:
        Keys.read(json.dumps({"keys": [GOOD | {"sha256": made}]}).encode())
    assert made not in str(error.value)
    assert error.value.__cause__ is None


def test_an_empty_list_lets_nobody_in() -> None:
    assert Keys.read(b'{"keys": []}').find("") is None
