"""Arguments that the operator sets, however they are written; and those that it heeds."""

import argparse

import pytest

from tidegate.domain.engine_args import OWNED_FLAGS, device_groups, refusal

OWNED = [flag for flags in OWNED_FLAGS for flag in flags]


@pytest.mark.parametrize("flag", OWNED)
def test_every_spelling_that_the_engine_takes_is_refused(flag: str) -> None:
    spellings = [flag, f"{flag}=x", f"{flag}.key", f"{flag}.key=x"]
    if flag.startswith("--"):
        spellings += [f"--{flag[2:].replace('-', '_')}", f"--{flag[2:].replace('-', '_')}=x"]
    for spelling in spellings:
        assert refusal(spelling), spelling


@pytest.mark.parametrize("flag", OWNED)
def test_what_a_parser_would_complete_to_it_is_refused(flag: str) -> None:
    """The parser has that option alone, so it completes every beginning."""
    parser = argparse.ArgumentParser(exit_on_error=False, add_help=False)
    parser.add_argument(flag, dest="found", nargs="?", const="taken")
    first = 3 if flag.startswith("--") else 2
    for end in range(first, len(flag) + 1):
        assert parser.parse_args([flag[:end]]).found == "taken"
        assert refusal(flag[:end]), flag[:end]
        assert refusal(f"{flag[:end]}=x"), flag[:end]


@pytest.mark.parametrize(
    "argument",
    [
        "--model-impl",
        "--max-num-batched-tokens",
        "--max-num-seqs-of-others",
        "--tokenizer-revision",
        "--config-format=hf",
        "--ssl-ciphers",
        "--grpc-port",
        "--hf-overrides",
        "--tensor-parallel-size-x",
        "model",
        "-pp",
        "half",
        "--",
        "",
    ],
)
def test_what_is_the_users_is_left_to_the_user(argument: str) -> None:
    assert refusal(argument) is None


def test_a_value_that_only_looks_like_a_flag_within_a_text_divides_nothing() -> None:
    assert device_groups(["--chat-template", "say --pipeline-parallel-size 2 now"]) == 1
    assert device_groups(["--pipeline-parallel-size", "many"]) == 1
    assert device_groups(["--pipeline-parallel-size"]) == 1
    assert device_groups(["--data-parallel-size", "0"]) == 1
