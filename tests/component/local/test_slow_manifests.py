"""`tidegate up` over a manifest that nobody has finished writing."""

from __future__ import annotations

import os
import signal

import pytest

from tests.component.local.place import Place
from tests.component.local.waiting import until


@pytest.mark.parametrize("source", ["a pipe", "-"])
async def test_one_that_waits_for_a_manifest_says_so_and_ends_when_it_is_told(
    here: Place, source: str
) -> None:
    pipe = here.folder / "pipe"
    os.mkfifo(pipe)
    keeps = os.open(pipe, os.O_RDWR)  # a writer that never ends
    try:
        stdin = ("/bin/sh", "-c", f'exec "$@" < {pipe}', "sh") if source == "-" else ()
        named = "-" if source == "-" else str(pipe)
        process, stderr = await here.begin(named, under=stdin)
        try:
            told = f"waiting for the manifests: {'stdin' if source == '-' else pipe} has not been read yet"
            await until(lambda: told in stderr.read_text(), "it says what it waits for")
            process.send_signal(signal.SIGTERM)
            await until(lambda: process.returncode is not None, "it ends")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    finally:
        os.close(keeps)
    assert process.returncode == 0, stderr.read_text()
    assert "ended before the manifests were read" in stderr.read_text()
    assert "Traceback" not in stderr.read_text()
