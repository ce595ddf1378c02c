"""Finding the cluster, and saying clearly that there is none."""

from pathlib import Path

import pytest

from tidegate.kube.connection import kubeconfig_files, load_configuration
from tidegate.kube.errors import KubeConfigError

KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://192.0.2.1:6443"}}]
users: [{name: u, user: {token: s3cret}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""


@pytest.fixture(autouse=True)
def _outside_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


async def test_no_kubeconfig_is_a_sentence_that_says_where_it_was_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(KubeConfigError, match=r"no kubeconfig at .*/none; set KUBECONFIG"):
        await load_configuration()


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Config\ncurrent-context: gone\ncontexts: []\n",
        "",
        "- a list\n",
        "current-context: {x",
        "contexts: 7\n",
    ],
)
async def test_a_broken_kubeconfig_is_a_sentence_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(file))
    with pytest.raises(KubeConfigError, match="cannot read how to reach the cluster"):
        await load_configuration()


async def test_the_current_context_says_which_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(file))
    assert (await load_configuration()).host == "https://192.0.2.1:6443"


def test_several_kubeconfigs_are_enough_if_one_exists(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "here").write_text(KUBECONFIG)
    both = f"{tmp_path / 'none'}:{tmp_path / 'here'}"
    monkeypatch.setenv("KUBECONFIG", both)
    assert kubeconfig_files() == both
