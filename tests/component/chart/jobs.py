"""The part of the Job controller and the kubelet: every Job ends at once, well or badly."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

MERGE = {"content-type": "application/merge-patch+json"}


class Jobs:
    """The Jobs of one namespace; ``seen`` are their manifests, in order."""

    def __init__(self, admin: httpx.Client, namespace: str) -> None:
        self._admin = admin
        self._path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self._end = threading.Event()
        self.succeed = True
        self.seen: list[dict[str, Any]] = []

    def run(self) -> None:
        """Ends each Job that has not ended, until told to stop."""
        while not self._end.wait(0.1):
            answer = self._admin.get(self._path)
            for job in answer.json()["items"] if answer.status_code == 200 else ():
                if not job.get("status", {}).get("conditions"):
                    self.seen.append(job)
                    self._finish(job["metadata"]["name"])

    def stop(self) -> None:
        """Ends ``run``."""
        self._end.set()

    def _finish(self, name: str) -> None:
        now = datetime.now(UTC)
        began, ended = (at.strftime("%Y-%m-%dT%H:%M:%SZ") for at in (now - timedelta(seconds=1), now))
        kinds = ("SuccessCriteriaMet", "Complete") if self.succeed else ("FailureTarget", "Failed")
        conditions = [
            {"type": kind, "status": "True", "lastTransitionTime": ended, "reason": "Played", "message": ""}
            for kind in kinds
        ]
        status: dict[str, Any] = {"startTime": began, "conditions": conditions}
        status |= {"completionTime": ended, "succeeded": 1} if self.succeed else {"failed": 1}
        answer = self._admin.patch(f"{self._path}/{name}/status", json={"status": status}, headers=MERGE)
        assert answer.status_code in (200, 404), answer.text


@contextmanager
def played_jobs(admin: httpx.Client, namespace: str) -> Iterator[Jobs]:
    """Jobs end by themselves within this block."""
    jobs = Jobs(admin, namespace)
    thread = threading.Thread(target=jobs.run)
    thread.start()
    try:
        yield jobs
    finally:
        jobs.stop()
        thread.join()
