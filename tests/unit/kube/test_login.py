"""The login that kopf gets."""

import pytest
from kubernetes.aio.client.configuration import Configuration

from tidegate.kube import login


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer abc", "abc"), ("Basic dTpw", None), (None, None)],
)
async def test_the_token_comes_without_its_scheme_however_that_is_spelt(
    monkeypatch: pytest.MonkeyPatch, header: str | None, token: str | None
) -> None:
    async def configuration() -> Configuration:
        found = Configuration(host="https://192.0.2.1")
        if header:
            found.api_key["BearerToken"] = header
        return found

    monkeypatch.setattr(login, "load_configuration", configuration)
    assert (await login.current_login()).token == token
