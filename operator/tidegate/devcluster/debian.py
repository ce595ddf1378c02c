"""Programs that come from Debian. Only what is missing is installed, and no service is started by it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.commands import Runner
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.progress import Progress

CNI_PLUGINS = Path("/usr/lib/cni")
POLICY = Path("/usr/sbin/policy-rc.d")  # Debian asks it before a package starts its service
NO_SERVICES = "#!/bin/sh\n# written by tidegate.devcluster while it installs packages\nexit 101\n"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# what must be there → the package that brings it
PROGRAMS: Mapping[str, str] = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    str(CNI_PLUGINS / "ptp"): "containernetworking-plugins",
    "nft": "nftables",
    "ip": "iproute2",
    "busybox": "busybox-static",
    "mmdebstrap": "mmdebstrap",
    "nsenter": "util-linux",
    "mount": "mount",
}


@dataclass(frozen=True)
class Debian:
    """Installs packages with apt-get."""

    runner: Runner
    progress: Progress
    programs: Mapping[str, str]
    policy: Path = POLICY

    def install(self) -> None:
        """Installs the packages of all programs that are missing, or says what to install by hand."""
        packages = self.missing()
        if not packages:
            return
        self.require_possible()
        with self.progress.step(f"installing from Debian: {' '.join(packages)}"), self._no_services():
            apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
            env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            self.runner.run([*apt, "update"], timeout=300, env=env)
            command = [*apt, "install", "--no-install-recommends", *packages]
            self.runner.run(command, timeout=900, env=env)

    def missing(self) -> list[str]:
        """The packages to install, each once."""
        path = f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}"
        absent = [package for name, package in self.programs.items() if shutil.which(name, path=path) is None]
        return sorted(set(absent))

    def require_possible(self) -> None:
        """ClusterError if packages are missing that cannot be installed from here."""
        wanted = ", ".join(self.missing())
        if wanted and shutil.which("apt-get") is None:
            raise ClusterError(f"this is not a Debian or Ubuntu system: install {wanted} with its own tools")
        if wanted and os.geteuid() != 0:
            raise ClusterError(
                f"root is needed to install {wanted}: run this with sudo, or apt-get install them"
            )

    @contextmanager
    def _no_services(self) -> Iterator[None]:
        if self.policy.exists():  # the administrator's own policy stands
            yield
            return
        self.policy.write_text(NO_SERVICES)
        self.policy.chmod(0o755)
        try:
            yield
        finally:
            self.policy.unlink(missing_ok=True)
