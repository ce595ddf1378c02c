"""From what vLLM 0.32 really prints to one line of cause."""

from __future__ import annotations

import pytest

from tidegate_worker.failure import Failure, find_failure

ENGINE = "(EngineCore pid=77) ERROR 11-21 01:46:03 [core.py:1210] "
SERVER = "(APIServer pid=9) ERROR 11-21 01:46:04 [async_llm.py:906] "
ECHO = "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"
CASES = [
    (
        "BadArgument: unrecognized arguments: --bogus-flag",
        ["usage: vllm [-h] [--headless]", "vllm: error: unrecognized arguments: --bogus-flag"],
    ),
    (
        "BadArgument: argument --max-num-seqs: Value many cannot be converted",
        ["vllm serve: error: argument --max-num-seqs: Value many cannot be converted"],
    ),
    (
        "BadArgument: User-specified max_model_len (100000) is greater than the derived one (8192)",
        [
            "Traceback (most recent call last):",
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig",
            "  Value error, User-specified max_model_len (100000) is greater than the derived one (8192)"
            " [type=value_error, input_value=ArgsKwargs((), {'model': 'x'}), input_type=ArgsKwargs]",
            "    For further information visit https://errors.pydantic.dev/2.14/v/value_error",
        ],
    ),
    (
        "EngineFailed: SafetensorError: Error while deserializing header: incomplete",
        [
            ENGINE + "Traceback (most recent call last):",
            ENGINE + "safetensors_rust.SafetensorError: Error while deserializing header: incomplete",
            ECHO,
        ],
    ),
    (
        "OutOfMemory: Available memory on node 0 (2/3 GiB) on kv cache allocation is less than"
        " requested memory for kv (4 GiB).",
        [
            ENGINE + "ValueError: Available memory on node 0 (2/3 GiB) on kv cache allocation is less than"
            " requested memory for kv (4 GiB).",
            ECHO,
        ],
    ),
    (
        "OutOfMemory: [enforce fail at alloc_cpu.cpp:131] DefaultCPUAllocator: can't allocate memory",
        [
            ENGINE
            + "RuntimeError: [enforce fail at alloc_cpu.cpp:131] DefaultCPUAllocator: can't allocate memory"
        ],
    ),
    (
        "Unsupported: NotImplementedError: Sparse Attention is not supported on CPU.",
        [ENGINE + "NotImplementedError: Sparse Attention is not supported on CPU.", ECHO],
    ),
    (
        "AcceleratorMissing: Failed to infer device type, please set the environment variable",
        ["RuntimeError: Failed to infer device type, please set the environment variable"],
    ),
    (
        "ModelNotFound: Invalid repository ID or local directory specified: 'nobody/nothing'.",
        [
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig",
            "  Value error, Invalid repository ID or local directory specified: 'nobody/nothing'.",
            "Please verify the following requirements:",
        ],
    ),
]


@pytest.mark.parametrize(("line", "output"), CASES, ids=[line.partition(":")[0] for line, _ in CASES])
def test_the_last_sentence_becomes_the_cause(line: str, output: list[str]) -> None:
    assert find_failure(output, 1, {}).line == line


def test_the_servers_echo_never_hides_the_engines_cause() -> None:
    output = [
        ENGINE + "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        SERVER + "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.",
        ECHO,
    ]
    assert find_failure(output, 1, {}).reason == "OutOfMemory"


def test_an_end_without_words_says_how_it_ended() -> None:
    assert find_failure(["INFO: loading"], -11, {}) == Failure(
        "EngineFailed", "The engine was ended by signal 11 without a message, as when a part of it is killed"
    )


def test_the_line_is_one_and_not_longer_than_500_characters() -> None:
    line = find_failure(["ValueError: " + "x" * 2000], 1, {}).line
    assert len(line) == 500
    assert line.endswith("…")
    assert "\n" not in Failure("EngineFailed", "two\nlines").line


@pytest.mark.parametrize(
    "said",
    [
        "401 for https://user:s3cretpass@mirror.local/model",
        "bad token=s3cretpass given",
        "Authorization: Bearer s3cretpass refused",
        "'password': 's3cretpass'",
        "the value s3cretpass of the environment",
    ],
)
def test_secrets_are_blotted_out(said: str) -> None:
    line = find_failure(
        [f"ValueError: {said}"], 1, {"MIRROR_PASSWORD": "s3cretpass", "HOME": "/home/worker"}
    ).line
    assert "s3cretpass" not in line
    assert "***" in line


def test_hub_tokens_are_blotted_out_wherever_they_come_from() -> None:
    assert "hf_" not in find_failure(["OSError: token hf_AbCdEf123456789 is invalid"], 1, {}).line
