"""vLLM's parser as the worker uses it; in vLLM's place stand modules with the same functions."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from types import SimpleNamespace

import pytest

from tidegate_worker.serving import parse


def with_options(parser: ArgumentParser) -> ArgumentParser:
    parser.add_argument("--max-num-seqs", type=int)
    return parser


@pytest.fixture(autouse=True)
def vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions of vLLM that parsing needs."""
    parts = {
        "entrypoints.serve.utils.api_utils": {"cli_env_setup": lambda: None},
        "entrypoints.launchers.cli_args": {
            "make_arg_parser": with_options,
            "validate_parsed_serve_args": lambda _: None,
        },
        "utils.argparse_utils": {"FlexibleArgumentParser": ArgumentParser},
        "logger": {"configure_logging_from_args": lambda _: None},
    }
    for name, functions in parts.items():
        monkeypatch.setitem(sys.modules, f"vllm.{name}", SimpleNamespace(**functions))  # type: ignore[arg-type]


def test_an_option_is_taken_in_full() -> None:
    assert parse(["--max-num-seqs", "8"]).max_num_seqs == 8


@pytest.mark.parametrize("word", ["--max-num-se=8", "--max-num-seq=8", "--max=8"])
def test_an_abbreviated_option_is_a_bad_argument(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([word])
    assert capsys.readouterr().err.endswith(f"vllm: error: unrecognized arguments: {word}\n")
