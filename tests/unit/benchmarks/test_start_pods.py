"""What bench-start asks a cluster for, and what it reads out of a pod's log."""

from __future__ import annotations

import pytest

from start.manifest import pod
from start.milestones import LAST, own_parts, parts, stamped
from start.subjects import STOCK, STOCK_NOTED, TIDEGATE, Subject

LOG = """\
2026-11-21T10:00:06.500000000Z INFO non-default args: {'model': '/models/tiny-chat'}
2026-11-21T10:00:06.750000001Z INFO Initializing a V1 LLM engine (v0.32.0)
2026-11-21T10:00:07.000000000Z Loading:   0% 0/1\r50%\r100% 1/1
2026-11-21T10:00:08.25Z {"worker": "serving", "port": 8000, "seconds": {"imports": 6.1, "engine": 1.5}}
"""
TEN = 1795255200.0  # 2026-11-21T10:00:00Z


@pytest.mark.parametrize("subject", [TIDEGATE, STOCK, STOCK_NOTED])
def test_every_container_asks_for_whole_cores_and_limits_what_it_asks_for(subject: Subject) -> None:
    spec = pod(subject, "one")["spec"]
    for container in spec["initContainers"] + spec["containers"]:
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert container["resources"]["limits"]["cpu"] == "1"


def test_stock_vllm_differs_from_the_worker_by_its_command_alone() -> None:
    ours, stock = pod(TIDEGATE, "one"), pod(STOCK, "one")
    command = stock["spec"]["containers"][0].pop("command")
    assert command == ["python3", "-m", "vllm.entrypoints.openai.api_server"]
    assert stock == ours


def test_lines_of_a_log_have_the_moments_at_which_the_node_took_them() -> None:
    found = list(stamped(LOG, TEN - 100))
    assert [round(moment, 6) for moment, _ in found] == [106.5, 106.75, 107.0, 108.25]
    assert found[2][1] == "Loading:   0% 0/1"


def test_parts_end_with_their_lines_and_the_last_one_with_the_answer() -> None:
    found = parts(stamped(LOG, TEN), 0.5, 9.0)
    assert found == {"imports_seconds": 6.0, "config_seconds": 0.25, LAST: 2.25}


def test_the_worker_tells_its_parts_and_stock_vllm_tells_none() -> None:
    texts = [text for _, text in stamped(LOG, TEN)]
    assert own_parts(texts) == {"own_imports_seconds": 6.1, "own_engine_seconds": 1.5}
    assert own_parts(texts[:-1]) == {}
