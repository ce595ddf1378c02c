"""From an HTTP status to a named error."""

import pytest

from tidegate.kube import errors


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {}, errors.UnauthorizedError),
        (403, {"reason": "Forbidden"}, errors.ForbiddenError),
        (404, {"reason": "NotFound"}, errors.NotFoundError),
        (409, {"reason": "Conflict"}, errors.ConflictError),
        (409, {"reason": "AlreadyExists"}, errors.AlreadyExistsError),
        (410, {"reason": "Expired"}, errors.GoneError),
        (422, {"reason": "Invalid", "details": {"name": "x"}}, errors.InvalidError),
        (429, {}, errors.ThrottledError),
        (500, {}, errors.ServerError),
        (503, {}, errors.ServerError),
        (418, {}, errors.KubeError),
    ],
)
def test_a_status_has_its_own_error(status: int, body: dict[str, object], kind: type) -> None:
    assert type(errors.error_from_status(status, body)) is kind


def test_a_refusal_of_the_whole_patch_is_told_from_a_refusal_of_its_result() -> None:
    whole = {"reason": "Invalid", "details": {}, "message": "the server rejected our request due to an error"}
    webhook = {"reason": "Invalid", "message": 'admission webhook "x" denied the request'}
    assert type(errors.error_from_status(422, whole)) is errors.PatchTestError
    assert type(errors.error_from_status(422, webhook)) is errors.InvalidError


def test_the_servers_sentence_comes_first_and_a_silent_server_gets_one() -> None:
    error = errors.error_from_status(404, {"reason": "NotFound", "message": 'deployments.apps "x" not found'})
    assert str(error) == 'deployments.apps "x" not found (404 NotFound)'
    assert str(errors.error_from_status(502, {})) == (
        "the API server answered 502 without a message (502 Unknown)"
    )


def test_throttling_keeps_what_the_server_asked_for() -> None:
    error = errors.error_from_status(429, {}, retry_after="7")
    assert isinstance(error, errors.ThrottledError)
    assert error.retry_after_seconds == 7
