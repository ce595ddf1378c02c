"""A file of services that is watched a second time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.unit.kube.fakes import RecordingSink
from tidegate.local.files import FileSubstrate

DOCUMENT = """
apiVersion: tidegate.io/v1alpha1
kind: InferenceService
metadata: {name: qwen, namespace: team-a}
spec: {model: {uri: "file:///m"}, resources: {cpu: 1, memory: 256Mi}}
"""


async def test_a_second_watch_tells_everything_anew(tmp_path: Path) -> None:
    file = tmp_path / "services.yaml"
    file.write_text(DOCUMENT)
    substrate = FileSubstrate(file, poll_seconds=0.01)
    for _ in range(2):
        sink = RecordingSink()
        watch = asyncio.create_task(substrate.watch(sink))
        async with asyncio.timeout(60):
            while "synced" not in sink.log:  # noqa: ASYNC110 - the sink has no event of its own
                await asyncio.sleep(0.01)
        watch.cancel()
        assert [str(key) for key in sink.views] == ["team-a/qwen"]
