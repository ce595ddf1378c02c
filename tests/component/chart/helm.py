"""helm, as a user runs it, with its caches in a temporary folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.component.programs import find_program
from tidegate.devcluster.tools import KUBERNETES

CHART = Path("charts/tidegate")
RELEASE = ("tidegate", "--namespace", "tidegate-system")


class HelmError(Exception):
    """helm ended with an error; the text is what it printed."""


def find_helm() -> Path:
    """helm from PATH or the user's cache; built or downloaded where there is none."""
    return find_program("helm")


class Helm:
    """Runs helm; against a cluster where a kubeconfig is given."""

    def __init__(self, program: Path, home: Path, kubeconfig: Path | None = None) -> None:
        self._program = program
        folders = {f"HELM_{name}_HOME": str(home / name) for name in ("CACHE", "CONFIG", "DATA")}
        self._environment = {**os.environ, **folders, "KUBECONFIG": str(kubeconfig or home / "none")}

    def __call__(self, *arguments: str | Path) -> str:
        done = subprocess.run(
            [self._program, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise HelmError(done.stderr + done.stdout)
        return done.stdout

    def template(self, *options: str, chart: Path = CHART) -> str:
        """All manifests of the chart with these options."""
        return self("template", RELEASE[0], chart, *RELEASE[1:], "--kube-version", KUBERNETES, *options)

    def install(self, *options: str, chart: Path = CHART) -> str:
        """Install or upgrade the release."""
        return self("upgrade", "--install", RELEASE[0], chart, *RELEASE[1:], "--create-namespace", *options)

    def uninstall(self) -> str:
        """Uninstall the release."""
        return self("uninstall", *RELEASE)
