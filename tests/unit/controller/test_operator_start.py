"""How the operator ends where it cannot begin."""

from pathlib import Path

import pytest
import yaml
from aiohttp import web

from tests.unit.controller.streams import serving
from tidegate.controller.app import OperatorSettings, run
from tidegate.kube.errors import KubeError
from tidegate.resources.deployment import WorkerImages


async def nonsense(_: web.Request) -> web.Response:
    """A listing as no API server makes it."""
    return web.json_response({"metadata": {"resourceVersion": "1"}, "items": [{}]})


def kubeconfig(port: int) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    return yaml.safe_dump(config)


async def test_a_first_listing_that_fails_for_good_ends_the_operator_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    settings = OperatorSettings(
        "tidegate-system", WorkerImages(cpu="i", cuda="i"), host="127.0.0.1", metrics_port=0, health_port=0
    )
    async with serving({"/{path:.*}": nonsense}) as port:
        file.write_text(kubeconfig(port))
        with pytest.raises(KubeError, match="the cluster cannot be listed: KeyError"):
            await run(settings)
