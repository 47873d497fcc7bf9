import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.accept import negotiate
from service.errors import NotAcceptableError


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("image/png", "image/png"),
        ("image/*", "image/png"),
        ("IMAGE/PNG", "image/png"),
        ("application/x-npz", "application/x-npz"),
        ("text/html, application/json", "application/json"),
        ("application/json;q=0.5, image/png", "image/png"),
        ("application/json, image/png", "application/json"),
        ("image/png;q=0.1, application/x-npz;q=0.2, */*;q=0.1", "application/x-npz"),
        ("image/png;q=nonsense, application/json;q=0.1", "application/json"),
    ],
)
def test_the_form_that_is_preferred(accept: str, form: str) -> None:
    assert negotiate(accept) == form


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", ",", ";;", "image/jpeg"])
def test_none_of_the_forms(accept: str) -> None:
    with pytest.raises(NotAcceptableError):
        negotiate(accept)


@given(st.text())
def test_any_header_is_either_understood_or_refused(accept: str) -> None:
    with contextlib.suppress(NotAcceptableError):
        assert negotiate(accept)
