"""What is asked of the hub and of object storage, and what their answers become."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.component.cache.conftest import FILES, MODEL, NEEDED, Place, contents, model_files
from tests.component.cache.store import Repository, Store, serving

S3 = "s3://bucket/models/chat"
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "not-a-real-secret",
    "AWS_REGION": "eu-1",
}


def test_what_no_engine_needs_is_not_fetched(place: Place) -> None:
    assert contents(place.fill().link) == model_files()
    assert set(place.store.sent) == set(NEEDED)


def test_who_names_a_load_format_gets_the_weights_of_every_format(place: Place) -> None:
    assert set(contents(place.fill("--every-format").link)) == set(FILES) - {".gitattributes"}


def test_a_mirror_that_tells_no_sizes_is_asked_for_each_file(place: Place) -> None:
    place.store.sizes_in_lists = False
    assert contents(place.fill().link) == model_files()
    assert {path.rpartition("/")[2] for verb, path, _ in place.store.asked if verb == "HEAD"} == set(NEEDED)


def test_a_token_is_shown_to_the_hub_and_not_to_where_it_redirects(place: Place) -> None:
    elsewhere = Store()
    elsewhere.repositories[MODEL] = Repository(dict(FILES))
    place.store.token = "hf_secretsecret"  # noqa: S105
    with serving(elsewhere, host="127.0.0.1"):
        place.store.moved_to = elsewhere.url
        filler = place.fill(env={"HF_TOKEN": "hf_secretsecret"})
        assert contents(filler.link) == model_files()
        assert all("authorization" not in headers for _, _, headers in elsewhere.asked)
    assert all("authorization" in headers for _, _, headers in place.store.asked)


@pytest.mark.parametrize(
    ("model", "env", "reason", "words"),
    [
        ("hf://acme/none", {}, "ModelNotFound", "does not exist, or is private"),
        (f"hf://{MODEL}", {"HF_ENDPOINT": "http://127.0.0.1:1"}, "ModelUnreachable", "cannot be asked for"),
        ("s3://bucket/none", {}, "ModelNotFound", "has no file that an engine could read"),
    ],
)
def test_a_model_that_is_not_there_is_named(
    place: Place, model: str, env: dict[str, str], reason: str, words: str
) -> None:
    filler = place.start(model=model, env={"AWS_ENDPOINT_URL": place.store.url, **env})
    assert filler.end() == 1
    assert filler.message.startswith(f"{reason}: ")
    assert words in filler.message
    assert "Traceback" not in filler.output


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (401, "ModelForbidden", "it needs HF_TOKEN"),
        (403, "ModelForbidden", "model.secretRef"),
        (404, "ModelNotFound", "RevisionNotFound"),
        (429, "ModelUnreachable", "429"),
        (500, "ModelUnreachable", "500"),
    ],
)
@pytest.mark.parametrize("what", ["list", "model-1.safetensors"])
def test_each_refusal_has_its_reason(place: Place, what: str, status: int, reason: str, words: str) -> None:
    place.store.statuses[what] = [status] * 10
    filler = place.start()
    assert filler.end() == 1
    assert filler.message.startswith(f"{reason}: ")
    assert words in filler.message
    assert filler.message.count("\n") == 1
    assert "Traceback" not in filler.output


def test_a_refusal_that_passes_and_a_connection_that_breaks_cost_only_a_try(place: Place) -> None:
    place.store.statuses = {"list": [503, 429], "model-1.safetensors": [500], "config.json": [503]}
    place.store.cuts = {"model-1.safetensors": [1_000_000, 2_000_000], "model-2.safetensors": [0]}
    filler = place.fill()
    assert contents(filler.link) == model_files(), filler.output
    assert place.store.sent["model-1.safetensors"] == len(FILES["model-1.safetensors"])


def test_a_server_without_ranges_begins_anew_and_the_file_is_right(place: Place) -> None:
    place.store.ranges = False
    place.store.cuts = {"model-1.safetensors": [1_000_000]}
    assert contents(place.fill().link) == model_files()


def test_a_file_that_never_comes_is_given_up_with_its_name(place: Place) -> None:
    place.store.cuts = {"model-1.safetensors": [0] * 50}
    filler = place.start()
    assert filler.end() == 1
    assert filler.message.startswith("ModelUnreachable: model-1.safetensors does not come any more")


def test_content_that_is_wrong_once_is_fetched_again_and_twice_is_a_cause(place: Place) -> None:
    name, size = "model-1.safetensors", len(FILES["model-1.safetensors"])
    place.store.lies = {name: [b"x" * size]}
    assert contents(place.fill().link) == model_files()
    small = b"y" * len(FILES["config.json"])
    for path, lie, model in ((name, b"x" * size, "large"), ("config.json", small, "small")):
        place.store.repositories[f"acme/{model}"] = Repository(dict(FILES))
        place.store.lies = {path: [lie] * 2}
        filler = place.fill(model=f"hf://acme/{model}", name=model)
        assert filler.process.returncode == 1
        assert filler.message.startswith(f"ChecksumMismatch: {path} was fetched twice")


def test_a_hub_that_is_away_does_not_keep_a_model_from_starting_that_is_here(place: Place) -> None:
    first = place.fill()
    again = place.start(env={"HF_ENDPOINT": "http://127.0.0.1:1"})
    assert again.end() == 0
    assert again.link.resolve() == first.link.resolve()
    assert '"unasked"' in again.output


def test_a_whole_commit_is_not_asked_about_once_it_is_here(place: Place) -> None:
    commit = place.store.repositories[MODEL].commit
    place.fill("--revision", commit)
    place.store.asked.clear()
    assert place.start("--revision", commit).end() == 0
    assert not place.store.asked


def test_objects_are_listed_page_by_page_and_each_request_is_signed(place: Place) -> None:
    place.store.repositories["bucket/models/chat"] = Repository(dict(FILES))
    env = {"AWS_ENDPOINT_URL": place.store.url, **KEYS}
    filler = place.fill(model=S3, env=env)
    assert contents(filler.link) == model_files(), filler.output
    pages = [path for _, path, _ in place.store.asked if "list-type=2" in path]
    assert len(pages) == len(FILES) // 2
    for _, _, headers in place.store.asked:
        assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
        assert "/eu-1/s3/aws4_request" in headers["authorization"]


def test_an_object_is_fetched_only_as_it_was_when_it_was_listed(place: Place) -> None:
    place.store.repositories["bucket/models/chat"] = Repository(dict(FILES))
    place.fill(model=S3, env={"AWS_ENDPOINT_URL": place.store.url})
    asked = {path: headers for _, path, headers in place.store.asked if path.endswith("config.json")}
    (headers,) = asked.values()
    digest = hashlib.md5(FILES["config.json"], usedforsecurity=False).hexdigest()
    assert headers["if-match"] == f'"{digest}"'
    assert "authorization" not in headers


def test_an_object_that_changed_makes_another_version(place: Place) -> None:
    repository = place.store.repositories["bucket/models/chat"] = Repository(dict(FILES))
    env = {"AWS_ENDPOINT_URL": place.store.url}
    first = place.fill(model=S3, env=env).link.resolve()
    repository.files["config.json"] = b'{"model_type": "newer"}'
    second = place.fill(model=S3, env=env)
    assert second.link.resolve() != first
    assert contents(second.link)["config.json"] == b'{"model_type": "newer"}'


def test_a_proxy_of_the_environment_carries_everything(place: Place) -> None:
    """A proxy is asked for whole addresses; the store answers them as one would."""
    env = {"HF_ENDPOINT": "http://hub.invalid", "http_proxy": place.store.url}
    filler = place.fill(env=env)
    assert contents(filler.link) == model_files(), filler.output
    assert all(path.startswith("http://hub.invalid/") for _, path, _ in place.store.asked)


def test_a_name_that_leads_out_of_the_folder_is_refused(place: Place) -> None:
    place.store.repositories[MODEL].files["../../evil.json"] = b"{}"
    filler = place.start()
    assert filler.end() == 1
    assert "no file below its root" in filler.message
    assert not list(place.scratch.rglob("evil.json"))


def test_progress_is_told_in_lines_that_a_program_can_read(place: Place) -> None:
    lines = [json.loads(line) for line in place.fill().output.splitlines()]
    told = [line["worker"] for line in lines]
    assert told[-2:] == ["fetched", "cached"]
    assert set(told[:-2]) == {"fetching"}
    assert lines[0]["of"] == sum(len(FILES[name]) for name in NEEDED)
