"""Which of a worker's variables are its manifest's, and which tidegate's own."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from tests.component.local.node_harness import opened, script, until
from tidegate.local.manifests.fields import FIELDS

TELL = "import json, os, time; print(json.dumps(dict(os.environ)), flush=True); time.sleep(600)"
LISTEN = (
    "import os, socket, time, uuid; s = socket.socket(socket.AF_UNIX); "
    "s.bind(os.environ['TMPDIR'] + '/' + str(uuid.uuid4())); "
    "print(os.environ['TMPDIR'], flush=True); time.sleep(600)"
)
OWN = (
    *("CUDA_VISIBLE_DEVICES", "SPT_NOENV", "TIDEGATE_WORKER", "TIDEGATE_TERMINATION_MESSAGE"),
    *("TIDEGATE_ISOLATION_HOST", "TIDEGATE_ISOLATION_PORT"),
)


async def test_a_manifests_folder_for_temporary_files_wins(tmp_path: Path) -> None:
    async with opened(tmp_path / "s", environment={**os.environ, "TMPDIR": "/ours"}) as pods:
        name = pods.node.create(script(TELL, environment={"TMPDIR": "/theirs"}))
        assert json.loads(await pods.first_line(name))["TMPDIR"] == "/theirs"


async def test_what_a_worker_is_told_of_its_place_is_on_the_page_of_fields(tmp_path: Path) -> None:
    (said,) = [each.text for each in FIELDS if each.path == "engine.env"]
    async with opened(tmp_path / "s", environment={"PATH": os.environ["PATH"]}) as pods:
        name = pods.node.create(script(TELL, environment=dict.fromkeys(OWN, "theirs")))
        found = json.loads(await pods.first_line(name))
        tidegates = {each for each in found if found[each] != "theirs"} - {
            "PATH",
            "TMPDIR",
            "LC_CTYPE",
            "PWD",
        }
        assert tidegates >= set(OWN)
        assert not [each for each in tidegates if each not in said]


async def test_a_worker_of_a_deep_state_folder_can_listen_and_leaves_nothing(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="r") as runtime:
        environment = {**os.environ, "XDG_RUNTIME_DIR": runtime}
        async with opened(tmp_path / ("x" * 100), environment=environment) as pods:
            name = pods.node.create(script(LISTEN))
            assert (await pods.first_line(name)).startswith(f"{runtime}/tidegate-")
            pods.node.delete("default", name)
            await until(lambda: not pods.all())
            await until(lambda: not list(Path(runtime).glob("tidegate-*")))
