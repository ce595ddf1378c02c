"""The systemd unit that runs ``tidegate up``. Each setting stands below the reason for it.

A user's systemd has no right to make mount namespaces, to filter devices or to take capabilities away, so a
unit for it has only what works without: filters of system calls, limits and cgroups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tidegate.api.v1alpha1 import parse
from tidegate.local.manifests.manifest_set import ManifestSet
from tidegate.resources.draining import grace_seconds

MARK = "# Written by tidegate install-service, which replaces this file; keep changes in a drop-in."
NAME = "tidegate"
_STOP_MARGIN = 15  # seconds for what is neither the gateway's drain nor a worker's: ending, writing, reaping
_SUBGROUP_SINCE = 254  # the version of systemd that knows DelegateSubgroup

Block = tuple[str, tuple[str, ...]]  # a reason, and the settings that have it


@dataclass(frozen=True, slots=True)
class Unit:
    """What a unit is made of. ``command`` holds plain words, absolute paths among them.

    ``user``: whose a system service is, empty: systemd's own choice (DynamicUser). ``groups``: that it needs
    for devices. ``stop_seconds``: from SIGTERM to SIGKILL. ``version``: systemd's, 0 where it is not known.
    ``containers``: the runtime that the workers run in, empty: processes. ``binds_low``: a port below 1024.
    ``rooted``: the command names the folder of models itself.
    """

    command: tuple[str, ...]
    stop_seconds: int
    system: bool = False
    user: str = ""
    groups: tuple[str, ...] = ()
    version: int = 0
    containers: str = ""
    binds_low: bool = False
    rooted: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


def render(unit: Unit) -> str:
    """The unit file."""
    service = [*_run(unit), *_stop(unit), *_cgroups(unit), *_hardening(unit)]
    service += _system_only(unit) if unit.system else []
    target = "multi-user.target" if unit.system else "default.target"
    parts = [
        MARK,
        "",
        "[Unit]",
        "Description=tidegate: vLLM that sleeps at zero and wakes for the first request",
    ]
    parts += _text(_order()) if unit.system else []
    parts += ["", "[Service]", *_text(service), "", "[Install]", f"WantedBy={target}", ""]
    return "\n".join(parts)


def stop_seconds(manifests: ManifestSet, drain_seconds: int) -> int:
    """How long a stop may take: the gateway's drain, then the longest grace of a worker."""
    graces = [grace_seconds(parse(each.document).spec) for each in manifests.services.values()]
    return drain_seconds + max(graces, default=0) + _STOP_MARGIN


def quoted(word: str) -> str:
    """A word for ExecStart or Environment, in which ``%``, ``$``, quotes and blanks mean nothing."""
    text = (
        word.replace("\\", "\\\\")
        .replace('"', '\\"')
        .replace("\n", "\\n")
        .replace("%", "%%")
        .replace("$", "$$")
    )
    return f'"{text}"' if not text or any(sign in text for sign in " \t'\"\\;#") else text


def _text(blocks: Sequence[Block]) -> list[str]:
    return [line for reason, settings in blocks for line in (*(f"# {reason}",), *settings)]


def _order() -> list[Block]:
    reason = "Models are fetched over the network, and a GPU's device files are there once its daemon runs"
    return [
        (reason, ("Wants=network-online.target", "After=network-online.target nvidia-persistenced.service"))
    ]


def _run(unit: Unit) -> list[Block]:
    words = [quoted(word) for word in unit.command]
    words += ["--root", "%C/tidegate"] if unit.system and not unit.rooted else []
    variables = [quoted(f"{name}={value}").replace("$$", "$") for name, value in unit.environment.items()]
    variables += ["HOME=%S/tidegate", "XDG_CACHE_HOME=%C/tidegate"] if unit.system else []
    return [
        ("A command that cannot be run is told by `systemctl start` itself", ("Type=exec",)),
        ("What runs, with absolute paths", (f"ExecStart={' '.join(words)}",)),
        *(
            [("Where it finds its packages, and where it may write", _each("Environment", variables))]
            if variables
            else []
        ),
        (
            "Secrets such as HF_TOKEN, and settings such as IDLE_TIMEOUT_SEC",
            ("EnvironmentFile=-%E/tidegate/environment",),
        ),
        (
            "A broken manifest is tried again every 5 seconds; wrong options (2) do not get better",
            ("Restart=on-failure", "RestartSec=5", "RestartPreventExitStatus=2"),
        ),
    ]


def _each(name: str, values: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for value in values)


def _stop(unit: Unit) -> list[Block]:
    return [
        (
            "tidegate alone gets SIGTERM and drains its workers; what is left at the end is killed",
            ("KillMode=mixed",),
        ),
        (
            "The gateway's drain, then the longest grace of a worker: install again when that grows",
            (f"TimeoutStopSec={unit.stop_seconds}",),
        ),
    ]


def _cgroups(unit: Unit) -> list[Block]:
    subgroup = ("DelegateSubgroup=supervisor",) if unit.version >= _SUBGROUP_SINCE else ()
    return [
        (
            "A cgroup for each worker: its own cores, its limit of memory",
            ("Delegate=cpu cpuset memory pids", *subgroup),
        ),
        (
            "A worker that the kernel kills for its memory is tidegate's to replace, not the end of all",
            ("OOMPolicy=continue",),
        ),
        ("A connection of a client and one of a worker for each request", ("LimitNOFILE=65536",)),
    ]


def _hardening(unit: Unit) -> list[Block]:
    """What holds for a user's systemd too. Rootless podman maps users by programs that are setuid, and makes
    namespaces and mounts: with it none of these can hold."""
    if unit.containers == "podman":
        return [("Keys and logs are nobody else's", ("UMask=0077",))]
    return [
        ("Keys and logs are nobody else's", ("UMask=0077",)),
        (
            "No program that it starts gets rights that it has not",
            ("NoNewPrivileges=yes", "RestrictSUIDSGID=yes"),
        ),
        (
            "IPv4, IPv6, the control socket, and the list of interfaces that torch.distributed asks for",
            ("RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",),
        ),
        (
            "Neither tidegate nor vLLM needs any of these",
            ("RestrictNamespaces=yes", "RestrictRealtime=yes", "LockPersonality=yes"),
        ),
        (
            "A refused call is an error, not the end; cores and memory policies are within @system-service",
            (
                "SystemCallArchitectures=native",
                "SystemCallFilter=@system-service",
                "SystemCallErrorNumber=EPERM",
            ),
        ),
        ("torch, triton and oneDNN compile kernels while they run", ("MemoryDenyWriteExecute=no",)),
    ]


def _system_only(unit: Unit) -> list[Block]:
    return [
        _owner(unit),
        _folders(),
        (
            "Everything else is read-only; models in a home can be read",
            ("ProtectSystem=strict", "ProtectHome=read-only"),
        ),
        ("A folder for temporary files of its own, which all of vLLM's processes share", ("PrivateTmp=yes",)),
        ("The kernel is not its business", _kernel()),
        ("cgroups are made below its own", ("ProtectControlGroups=no",)),
        ("GPUs, and no other device", ("DevicePolicy=closed", *_devices())),
        _capabilities(unit),
        ("Shared memory of a worker that was killed goes with the service", ("RemoveIPC=yes",)),
    ]


def _owner(unit: Unit) -> Block:
    groups = (f"SupplementaryGroups={' '.join(unit.groups)}",) if unit.groups else ()
    if unit.user:
        return ("Whose it is", (f"User={unit.user}", *groups))
    return ("A user that exists while it runs and owns nothing else", ("DynamicUser=yes", *groups))


def _folders() -> Block:
    return (
        "State in /var/lib/tidegate; downloads, compiled kernels and models in /var/cache/tidegate",
        ("StateDirectory=tidegate", "StateDirectoryMode=0700", "CacheDirectory=tidegate"),
    )


def _kernel() -> tuple[str, ...]:
    protected = ("KernelTunables", "KernelModules", "KernelLogs", "Clock", "Hostname")
    return (*(f"Protect{what}=yes" for what in protected), "ProtectProc=invisible")


def _devices() -> tuple[str, ...]:
    """By the names in /proc/devices: NVIDIA's, AMD's compute and render devices."""
    return _each("DeviceAllow", ["char-nvidia* rw", "char-kfd rw", "char-drm rw"])


def _capabilities(unit: Unit) -> Block:
    if unit.binds_low:
        low = "CAP_NET_BIND_SERVICE"
        return (
            "A port below 1024, and nothing else of root's",
            (f"CapabilityBoundingSet={low}", f"AmbientCapabilities={low}"),
        )
    return ("Nothing of root's", ("CapabilityBoundingSet=",))
