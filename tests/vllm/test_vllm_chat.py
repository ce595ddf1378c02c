"""A worker with the tiny chat model, asked by the official client."""

from __future__ import annotations

from pathlib import Path

import httpx
import openai
import pytest

from tests.vllm.worker_process import Starter, Worker

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800)]
MESSAGES: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "How are you?"}]


@pytest.fixture(scope="module")
def worker(start: Starter, tiny_chat: Path) -> Worker:
    names = ["--served-model-name", "tiny-chat", "tiny"]
    worker = start(tiny_chat, *names, "--max-num-seqs", "8", "--enforce-eager")
    worker.wait_ready()
    return worker


@pytest.fixture(scope="module")
def client(worker: Worker) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{worker.url}/v1", api_key="none", max_retries=0, timeout=200)


def test_the_served_names_are_listed(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {"tiny-chat", "tiny"}


def test_what_the_start_was_spent_on_is_told_as_the_worker_said_it(worker: Worker) -> None:
    said = worker.said("serving")
    port = worker.said("isolation")["port"]
    told = httpx.get(f"http://127.0.0.1:{port}/start", timeout=60).json()
    assert told["parts"] == pytest.approx(said["seconds"], abs=0.002)
    assert told["servesAfterSeconds"] == pytest.approx(said["total"], abs=0.01)
    before = ("interpreter", "imports", "config")
    assert told["loadsAfterSeconds"] == pytest.approx(sum(said["seconds"][part] for part in before), abs=0.01)
    print(told)


def test_the_engine_is_forked_from_the_process_that_imported_vllm(worker: Worker) -> None:
    assert worker.said("faststart")["processes"] == "forked"


def test_one_thread_for_its_one_core_and_the_metrics_tell_the_core(worker: Worker) -> None:
    prepared = worker.said("prepared")
    assert prepared["environment"]["OMP_NUM_THREADS"] == "1"
    assert prepared["given"] == {}
    port = worker.said("isolation")["port"]
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(values["tidegate_worker_cpuset_cores"]) == 1
    assert float(values['tidegate_worker_start_seconds{part="imports"}']) > 0


def test_a_stream_brings_as_many_printable_tokens_as_asked_for(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="tiny-chat",
        messages=MESSAGES,
        max_tokens=200,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"ignore_eos": True},
    )
    chunks = list(stream)
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 200
    assert len([text for text in texts if text]) > 150
    assert "".join(texts).isascii()


def test_the_same_question_without_chance_gets_the_same_answer(client: openai.OpenAI) -> None:
    answers = {
        client.chat.completions.create(model="tiny", messages=MESSAGES, max_tokens=30, temperature=0)
        .choices[0]
        .message.content
        for _ in range(3)
    }
    assert len(answers) == 1


def test_the_counters_that_the_operator_asks_for_are_there(worker: Worker, client: openai.OpenAI) -> None:
    client.chat.completions.create(model="tiny", messages=MESSAGES, max_tokens=2)
    lines = httpx.get(f"{worker.url}/metrics", timeout=60).text.splitlines()
    names = {line.partition("{")[0] for line in lines if not line.startswith("#")}
    wanted = {"vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:request_success_total"}
    assert wanted <= names


def test_one_core_means_one_thread_and_a_start_whose_parts_add_up(worker: Worker) -> None:
    prepared, serving = worker.said("prepared"), worker.said("serving")
    assert len(prepared["cpus"]) == 1
    assert prepared["environment"]["OMP_NUM_THREADS"] == "1"
    assert set(serving["seconds"]) == {"interpreter", "imports", "config", "engine", "serving"}
    assert serving["total"] == pytest.approx(sum(serving["seconds"].values()), abs=0.01)


def test_a_model_class_is_not_inspected_anew_at_a_first_start(worker: Worker) -> None:
    # 8 s on one core without what inspect_models.py found out, 0.05 s with it; the imports take 7 s there
    seconds = worker.said("serving")["seconds"]
    assert seconds["config"] < max(2.0, seconds["imports"] / 2)
