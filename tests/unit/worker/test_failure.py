"""From what vLLM 0.32 really prints to one line of cause."""

from __future__ import annotations

import pytest

from tidegate_worker.failure import Failure, find_failure

ENGINE = "(EngineCore pid=77) ERROR 11-21 01:46:03 [core.py:1210] "
SERVER = "(APIServer pid=9) ERROR 11-21 01:46:04 [async_llm.py:906] "
ECHO = "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"
USAGE = "usage: vllm [-h] [--headless]"
TRACE = "Traceback (most recent call last):"
INVALID = "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig"
MORE = "    For further information visit https://errors.pydantic.dev/2.14/v/value_error"
# What vLLM printed, and the line that must come of it, without what to do.
CASES = [
    (
        "BadArgument: unrecognized arguments: --bogus-flag",
        [USAGE, "vllm: error: unrecognized arguments: --bogus-flag"],
    ),
    (
        "BadArgument: argument --max-num-seqs: invalid int value: 'many'",
        [USAGE, "vllm: error: argument --max-num-seqs: invalid int value: 'many'"],
    ),
    (
        "BadArgument: User-specified max_model_len (100000) is greater than the derived one (8192)",
        [
            TRACE,
            INVALID,
            "  Value error, User-specified max_model_len (100000) is greater than the derived one (8192)"
            " [type=value_error, input_value=ArgsKwargs((), {'model': 'x'}), input_type=ArgsKwargs]",
            MORE,
        ],
    ),
    (
        "BadArgument: max_num_batched_tokens (16) is smaller than max_model_len (2048)",
        [
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for SchedulerConfig",
            "  Value error, max_num_batched_tokens (16) is smaller than max_model_len (2048)",
            MORE,
        ],
    ),
    (
        "BadArgument: 2 validation errors for SchedulerConfig: max_num_batched_tokens"
        " Input should be greater than or equal to 1",
        [
            "pydantic_core._pydantic_core.ValidationError: 2 validation errors for SchedulerConfig",
            "max_num_batched_tokens",
            "  Input should be greater than or equal to 1 [type=greater_than_equal, input_value=-24576]",
            MORE,
        ],
    ),
    (
        "BadArgument: invalid tool call parser: nobody",
        ["KeyError: 'invalid tool call parser: nobody (chose from { apertus,hermes,qwen3 })'"],
    ),
    (
        "BadArgument: OverflowError: bind(): port must be 0-65535",
        ["OverflowError: bind(): port must be 0-65535."],
    ),
    (
        "InvalidModel: SafetensorError: Error while deserializing header: incomplete metadata,"
        " file not fully covered",
        [
            ENGINE + TRACE,
            ENGINE
            + "safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata,"
            " file not fully covered",
            ECHO,
        ],
    ),
    (
        "InvalidModel: The size of tensor a (256) must match the size of tensor b (128) at non-singleton"
        " dimension 1",
        [
            ENGINE + "RuntimeError: The size of tensor a (256) must match the size of tensor b (128)"
            " at non-singleton dimension 1",
            ECHO,
        ],
    ),
    (
        "InvalidModel: Following weights were not initialized from checkpoint: {'model.layers.3.mlp.weight'}",
        [
            ENGINE + "ValueError: Following weights were not initialized from checkpoint:"
            " {'model.layers.3.mlp.weight'}",
            ECHO,
        ],
    ),
    (
        "InvalidModel: AssertionError in weight_loader:"
        " assert loaded_weight.shape[output_dim] == self.org_vocab_size",
        [
            ENGINE + TRACE,
            ENGINE + '  File "/usr/lib/vllm/model_executor/models/qwen2.py", line 480, in load_weights',
            ENGINE + "    weight_loader(param, loaded_weight)",
            ENGINE + '  File "/usr/lib/vllm/model_executor/layers/vocab.py", line 432, in weight_loader',
            ENGINE + "    assert loaded_weight.shape[output_dim] == self.org_vocab_size",
            ENGINE + "           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
            ENGINE + "AssertionError",
            ECHO,
        ],
    ),
    (
        "InvalidModel: StrictDataclassFieldValidationError: Validation error for field 'hidden_size':"
        " TypeError: Field 'hidden_size' expected int, got str (value: 'many')",
        [
            "huggingface_hub.errors.StrictDataclassFieldValidationError:"
            " Validation error for field 'hidden_size':",
            "    TypeError: Field 'hidden_size' expected int, got str (value: 'many')",
        ],
    ),
    (
        "OutOfMemory: Available memory on node 0 (2/3 GiB) on kv cache allocation is less than"
        " requested memory for kv (4 GiB)",
        [
            ENGINE + "ValueError: Available memory on node 0 (2/3 GiB) on kv cache allocation is less than"
            " requested memory for kv (4 GiB).",
            ECHO,
        ],
    ),
    (
        "OutOfMemory: To serve at least one request with the model's max seq len (8192), (0.1 GiB KV cache is"
        " needed, which is larger than the available KV cache memory (0.0 GiB)",
        [
            ENGINE
            + "ValueError: To serve at least one request with the model's max seq len (8192), (0.1 GiB KV"
            " cache is needed, which is larger than the available KV cache memory (0.0 GiB).",
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
        "Unsupported: NotImplementedError: Sparse Attention is not supported on CPU",
        [ENGINE + "NotImplementedError: Sparse Attention is not supported on CPU.", ECHO],
    ),
    (
        "Unsupported: Model architectures ['NobodysForCausalLM'] are not supported",
        [
            INVALID,
            "  Value error, Model architectures ['NobodysForCausalLM'] are not supported for now. Supported"
            " architectures: dict_keys(['AfmoeForCausalLM', 'ApertusForCausalLM']) [type=value_error]",
            MORE,
        ],
    ),
    (
        "AcceleratorMissing: Failed to infer device type, please set the environment variable",
        ["RuntimeError: Failed to infer device type, please set the environment variable"],
    ),
    (
        "AcceleratorMissing: Found no NVIDIA driver on your system",
        ["RuntimeError: Found no NVIDIA driver on your system."],
    ),
    (
        "ModelNotFound: Invalid repository ID or local directory specified: 'nobody/nothing'",
        [
            INVALID,
            "  Value error, Invalid repository ID or local directory specified: 'nobody/nothing'.",
            "Please verify the following requirements:",
        ],
    ),
    (
        "ModelUnreachable: We couldn't connect to 'https://huggingface.co' to load the files,"
        " and couldn't find them in the cached files",
        [
            "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find"
            " them in the cached files.",
            "Check your internet connection or see how to run the library in offline mode.",
        ],
    ),
    ("PortInUse: [Errno 98] Address already in use", ["OSError: [Errno 98] Address already in use"]),
    (
        "NotWritable: [Errno 30] Read-only file system: '/cache'",
        ["OSError: [Errno 30] Read-only file system: '/cache'"],
    ),
    (
        "NoSpaceLeft: Insufficient space in /dev/shm for shared-memory allocation: 160 MiB required",
        [
            ENGINE + "RuntimeError: Insufficient space in /dev/shm for shared-memory allocation:"
            " 160 MiB required.",
            ECHO,
        ],
    ),
    (
        "ModelNotFound: LocalEntryNotFoundError: Cannot find a cached snapshot folder and outgoing"
        " traffic has been disabled",
        [
            "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find a cached snapshot folder"
            " and outgoing traffic has been disabled.",
        ],
    ),
    ("NoSpaceLeft: [Errno 28] No space left on device", ["OSError: [Errno 28] No space left on device"]),
]


@pytest.mark.parametrize(("line", "output"), CASES, ids=[line[:40] for line, _ in CASES])
def test_the_last_sentence_becomes_the_cause_and_says_what_to_do(line: str, output: list[str]) -> None:
    failure = find_failure(output, 1, {})
    assert failure.advice
    assert failure.line == " ".join(f"{line}. {failure.advice}".split())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ValueError: no weights for {'b', 'a', 'c'}", "ValueError: no weights for {'c', 'a', 'b'}"),
        ("ValueError: no <function loads at 0x7f90>", "ValueError: no <function loads at 0x55aa>"),
        ("vllm: error: no <function loads at 0x7f90>", "vllm: error: no <function loads at 0x55aa>"),
    ],
)
def test_the_same_error_is_told_in_the_same_words_at_each_start(first: str, second: str) -> None:
    """Otherwise every restart of a worker that cannot run would be news, and a write."""
    assert find_failure([first], 1, {}) == find_failure([second], 1, {})


def test_the_servers_echo_never_hides_the_engines_cause() -> None:
    output = [
        ENGINE + "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        SERVER + "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.",
        ECHO,
    ]
    assert find_failure(output, 1, {}).reason == "OutOfMemory"


def test_an_end_without_words_says_how_it_ended() -> None:
    failure = find_failure(["INFO: loading"], 3, {})
    assert (failure.reason, failure.message) == (
        "EngineFailed",
        "The engine ended with code 3 without a message",
    )


@pytest.mark.parametrize(
    ("number", "name", "advice"),
    [
        (11, "SIGSEGV", "Read the worker's log"),
        (9, "SIGKILL", "See whether the node ran out of memory"),
        (4, "SIGILL", "placement.nodeSelector"),
        (7, "SIGBUS", "resources.sharedMemory"),
    ],
)
def test_an_engine_that_a_signal_ended_names_it_whatever_it_said_before(
    number: int, name: str, advice: str
) -> None:
    failure = find_failure(["ValueError: a request of yesterday was wrong"], -number, {})
    assert (failure.reason, failure.message) == (
        "EngineKilled",
        f"The engine was ended by signal {number} ({name})",
    )
    assert advice in failure.advice


@pytest.mark.parametrize(
    "said",
    [
        f"{ECHO[:-2]}{{'EngineCore_DP0': -9}}",
        '{"worker": "engine ended", "process": "EngineCore_DP0", "code": -9}',
        ENGINE + "Worker proc EngineCore_DP0 died unexpectedly (exit code: -9), shutting down executor.",
    ],
)
def test_a_process_of_the_engine_that_was_killed_is_named_though_its_server_ends_by_itself(said: str) -> None:
    failure = find_failure([said, ECHO], 1, {})
    assert (failure.reason, failure.message) == (
        "EngineKilled",
        "EngineCore_DP0 was ended by signal 9 (SIGKILL)",
    )


def test_who_aborts_says_why() -> None:
    assert find_failure(["RuntimeError: CUDA error: out of memory"], -6, {}).reason == "OutOfMemory"
    assert find_failure(["INFO: loading"], -6, {}).reason == "EngineKilled"


def test_the_line_is_one_and_not_longer_than_500_characters() -> None:
    failure = find_failure(["ValueError: " + "x" * 2000], 1, {})
    assert len(failure.line) <= 500
    assert failure.line.endswith(f"x… {failure.advice}")
    assert len(Failure("EngineFailed", "x" * 2000).line) == 500
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
