"""Where things lie: the state of one cluster, and what all clusters of a user share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.errors import ClusterError

MARK = "TIDEGATE_DEVCLUSTER"  # in the environment of a cluster's processes; its value: the state folder
DEFAULT_NAME = "tidegate"


@dataclass(frozen=True)
class State:
    """The folder of one cluster. `down` removes it, its logs included."""

    root: Path

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.root / "pki"

    @property
    def front_proxy(self) -> Path:
        """What proves the API server to the API servers behind it: an authority, a certificate, its key."""
        return self.pki / "front-proxy"

    @property
    def logs(self) -> Path:
        """One file for each process, and the API server's audit log."""
        return self.root / "log"

    @property
    def pids(self) -> Path:
        """One record for each process that was started."""
        return self.root / "pids"

    @property
    def etcd(self) -> Path:
        """etcd's data."""
        return self.root / "etcd"

    @property
    def bin(self) -> Path:
        """Links to kubectl and helm, for PATH."""
        return self.root / "bin"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.root / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        """Every request that the API server answered, one JSON object a line."""
        return self.logs / "audit.log"

    @property
    def facts(self) -> Path:
        """What `up` started (cluster.Facts)."""
        return self.root / "cluster.json"

    def must_be_ours(self) -> None:
        """ClusterError where the folder holds something and no cluster made it: `down` removes it whole."""
        if (
            self.root.exists()
            and not self._marker.exists()
            and (self.root.is_file() or any(self.root.iterdir()))
        ):
            raise ClusterError(
                f"{self.root} is not a cluster's state: name a folder that is empty or not there yet"
            )

    def remove(self) -> None:
        """Removes the folder, what says that it is ours last, so that a killed removal can be done again."""
        if self.root.is_dir():
            for entry in self.root.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry, ignore_errors=True)
                elif entry != self._marker:
                    entry.unlink(missing_ok=True)
            shutil.rmtree(self.root, ignore_errors=True)

    @property
    def _marker(self) -> Path:
        return self.root / ".tidegate-cluster"

    def make(self) -> None:
        """Creates the folders. A folder that cannot be written, or is somebody else's, is a ClusterError."""
        self.must_be_ours()
        try:
            for folder in (self.root, self.pki, self.front_proxy, self.logs, self.pids, self.bin):
                folder.mkdir(parents=True, exist_ok=True, mode=0o755)
            self._marker.touch()
        except OSError as error:
            raise ClusterError(f"cannot write the state folder {self.root}: {error.strerror}") from error


@dataclass(frozen=True)
class Cache:
    """What is built once for all clusters of this user: binaries, base systems, image layers, images."""

    root: Path

    @property
    def binaries(self) -> Path:
        """Folders `<set>-<version>` of executables."""
        return self.root / "bin"

    @property
    def digests(self) -> Path:
        """What is known of image layers (images.digests.Digests)."""
        return self.root / "layers" / "digests.json"

    @property
    def links(self) -> Path:
        """Links to the programs that people and tests call, for PATH."""
        return self.root / "bin" / "on-path"


def cache_of(env: Mapping[str, str]) -> Cache:
    """The user's cache: `$XDG_CACHE_HOME/tidegate`, by default `~/.cache/tidegate`."""
    return Cache(_base(env, "XDG_CACHE_HOME", ".cache") / "tidegate")


def state_of(env: Mapping[str, str], name: str = DEFAULT_NAME, folder: str | None = None) -> State:
    """The state of the cluster `name`: `folder`, else `$XDG_STATE_HOME/tidegate/<name>`."""
    if folder:
        return State(Path(folder).absolute())
    return State(_base(env, "XDG_STATE_HOME", ".local/state") / "tidegate" / name)


def write_private(file: Path, content: bytes) -> None:
    """Writes a file that only its owner may read."""
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(content)


def _base(env: Mapping[str, str], variable: str, below_home: str) -> Path:
    if env.get(variable):
        return Path(env[variable]).absolute()
    home = env.get("HOME") or os.path.expanduser("~")  # noqa: PTH111
    return Path(home) / below_home
