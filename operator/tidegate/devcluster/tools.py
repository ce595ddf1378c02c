"""The programs of a cluster: versions, where they are built and downloaded from, what counts as the same."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass, replace

KUBERNETES = "v1.34.4"
ETCD = "v3.6.4"
HELM = "v3.20.2"
COREDNS = "v1.14.6"

VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")

# of the first build; what comes after the API server finds most of its packages built
SECONDS = {"etcd": 70, "kube-apiserver": 300, "kubelet": 90, "kube-controller-manager": 100, "kubectl": 30}

CONTROL_PLANE = ("etcd", "kube-apiserver")
NODE = ("kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy")


@dataclass(frozen=True)
class Tool:
    """One program. `folder` is where the cache keeps it, `module` the Go module that builds it."""

    name: str
    version: str
    folder: str
    module: str
    package: str
    ldflags: str
    seconds: int  # of its first build, two cores, nothing cached
    version_args: tuple[str, ...] = ("--version",)
    minors: range | None = None  # minor versions of the same major that serve; None: only the same

    def accepts(self, printed: str) -> bool:
        """Whether a program that prints this version can stand in for this one."""
        found, wanted = VERSION.search(printed), VERSION.search(self.version)
        if found is None or wanted is None or found[1] != wanted[1]:
            return False
        return found[2] == wanted[2] if self.minors is None else int(found[2]) in self.minors


@dataclass(frozen=True)
class Download:
    """Where a published build lies. `checksum` is the file with its sha256; `member` the path in a tar."""

    url: str
    checksum: str
    member: str | None = None


def all_tools() -> dict[str, Tool]:
    """Every program of a cluster, by name, in the order in which they are built."""
    return {tool.name: tool for tool in (*_kubernetes_tools(), *_other_tools())}


def download_of(tool: Tool) -> Download:
    """Where `tool` is published for this machine's architecture."""
    arch = architecture()
    if tool.name == "etcd":
        stem = f"etcd-{ETCD}-linux-{arch}"
        base = f"https://github.com/etcd-io/etcd/releases/download/{ETCD}"
        return Download(f"{base}/{stem}.tar.gz", f"{base}/SHA256SUMS", f"{stem}/etcd")
    if tool.name == "helm":
        url = f"https://get.helm.sh/helm-{HELM}-linux-{arch}.tar.gz"
        return Download(url, f"{url}.sha256sum", f"linux-{arch}/helm")
    if tool.name == "coredns":
        base = f"https://github.com/coredns/coredns/releases/download/{COREDNS}"
        url = f"{base}/coredns_{COREDNS.removeprefix('v')}_linux_{arch}.tgz"
        return Download(url, f"{url}.sha256", "coredns")
    url = f"https://dl.k8s.io/release/{KUBERNETES}/bin/linux/{arch}/{tool.name}"
    return Download(url, f"{url}.sha256")


def architecture() -> str:
    """This machine's architecture, as Go names it."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _kubernetes_tools() -> list[Tool]:
    names = ("kube-apiserver", "kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy")
    etcd = _kubernetes_tool("etcd", package="go.etcd.io/etcd/server/v3", version=ETCD)
    kubectl = replace(_kubernetes_tool("kubectl"), version_args=("version", "--client"), minors=range(30, 40))
    return [etcd, *(_kubernetes_tool(name) for name in names), kubectl]


def _kubernetes_tool(name: str, *, package: str | None = None, version: str = KUBERNETES) -> Tool:
    package = package or f"k8s.io/kubernetes/cmd/{name}"
    return Tool(name, version, f"k8s-{KUBERNETES}", "kubernetes", package, _stamps(), SECONDS.get(name, 15))


def _stamps() -> str:
    """The linker's flags that put the version into a program, as Kubernetes' own build does."""
    major, minor = KUBERNETES.removeprefix("v").split(".")[:2]
    version = "k8s.io/component-base/version"
    stamps = {
        f"{version}.gitVersion": KUBERNETES,
        f"{version}.gitMajor": major,
        f"{version}.gitMinor": minor,
        f"{version}.gitTreeState": "clean",
        "k8s.io/client-go/pkg/version.gitVersion": KUBERNETES,
    }
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())])


def _other_tools() -> list[Tool]:
    helm_flags = f"-s -w -X helm.sh/helm/v3/internal/version.version={HELM}"
    helm = Tool(
        "helm",
        HELM,
        f"helm-{HELM}",
        "helm",
        "helm.sh/helm/v3/cmd/helm",
        helm_flags,
        130,
        ("version", "--short"),
        range(12, 100),
    )
    package = "tidegate.io/devcluster/coredns"  # gomods/coredns/main.go
    coredns = Tool("coredns", COREDNS, f"coredns-{COREDNS}", "coredns", package, "-s -w", 80, ("-version",))
    return [helm, coredns]
