"""``tidegate install-service``: a systemd unit that runs ``tidegate up``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tidegate.cli.given_options import keep_as_given, words
from tidegate.cli.up import add_up
from tidegate.local.manifests.manifest_files import ManifestFiles
from tidegate.local.manifests.manifest_set import Machine, ManifestSet
from tidegate.local.service import installing
from tidegate.local.service.units import NAME, Unit, render, stop_seconds

_EPILOG = (
    "Every option of tidegate up is taken and stands in the unit. Changes of your own belong into a drop-in "
    "(systemctl edit), which stays when the unit is written anew."
)
_PROGRAMS = ("PYTHONPATH", "TIDEGATE_WORKER_COMMAND")  # what this command and its workers are made of
_FOLDERS = ("XDG_STATE_HOME", "XDG_CACHE_HOME", "HF_HOME")  # where `tidegate get` in this shell looks, too


def add_install_service(parser: argparse.ArgumentParser) -> None:
    """Its options: those of ``up``, and its own."""
    add_up(parser)
    up_actions = keep_as_given(parser)
    parser.epilog = _EPILOG
    own = parser.add_argument_group("the service")
    text = "of the whole machine, from boot on, in /etc/systemd/system: takes root (the user's own)"
    own.add_argument("--system", action="store_true", help=text)
    text = "whose a system service is (a user that systemd makes for it alone)"
    own.add_argument("--user", metavar="NAME", default="", help=text)
    text = "the workers are its containers: the unit leaves out what would keep it from making them"
    own.add_argument("--containers", choices=("podman", "docker"), default="", help=text)
    own.add_argument("--dry-run", action="store_true", help="print the unit and write nothing")
    own.add_argument("--remove", action="store_true", help="take the unit away again")
    parser.set_defaults(command=_install_service, up_actions=up_actions)


def _install_service(options: argparse.Namespace) -> int:
    if sys.platform != "linux":
        raise ValueError("systemd is there on Linux alone, as is what tidegate up needs")
    folder = installing.unit_folder(os.environ, system=options.system)
    if options.remove:
        _say(_removed(installing.remove(folder), folder, system=options.system))
    elif options.dry_run:
        _say(render(_unit(options)))
    else:
        _say(_written(installing.install(folder, render(_unit(options))), system=options.system))
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text)


def _written(file: Path, *, system: bool) -> str:
    systemctl = "systemctl" if system else "systemctl --user"
    lines = [f"{file} is written. Start it, now and from {'boot' if system else 'login'} on:"]
    lines += [f"  {systemctl} daemon-reload", f"  {systemctl} enable --now {NAME}"]
    if not system:
        lines += ["Let it run while nobody is logged in, and from boot on:", "  loginctl enable-linger"]
    state = f" --state /var/lib/{NAME}" if system else ""
    journal = "journalctl" if system else "journalctl --user"
    lines += ["See what it does:", f"  tidegate get{state}", f"  {journal} -u {NAME} -f"]
    return "\n".join(lines) + "\n"


def _removed(file: Path | None, folder: Path, *, system: bool) -> str:
    if file is None:
        return f"there is no {folder / installing.FILE}\n"
    systemctl = "systemctl" if system else "systemctl --user"
    return (
        f"{file} is removed. End what still runs:\n  {systemctl} stop {NAME}\n  {systemctl} daemon-reload\n"
    )


def _unit(options: argparse.Namespace) -> Unit:
    sources = _manifests(options)
    _check(options)
    files = ManifestFiles(sources, Machine())
    manifests = files.read()
    if options.system and not options.user:
        _check_secrets(manifests)
        root = [] if options.root is None else [Path(options.root)]
        _check_open([*sources, *files.paths(), *root])
    given = list(words(options, options.up_actions))
    before = ("--log-level", options.log_level) if options.log_level else ()
    return Unit(
        command=(sys.executable, "-P", "-m", "tidegate.cli", *before, "up", *given),
        stop_seconds=stop_seconds(manifests, int(options.drain_seconds)),
        system=options.system,
        user=options.user,
        groups=installing.device_groups(options.containers) if options.system else (),
        version=installing.systemd_version(),
        containers=options.containers,
        binds_low=any(0 < port < 1024 for port in _ports(options)),
        rooted=options.root is not None,
        environment=_carried(system=options.system),
    )


def _carried(*, system: bool) -> dict[str, str]:
    """What the service has of this shell's environment, so that it does what `tidegate up` would do here."""
    names = _PROGRAMS if system else (*_PROGRAMS, *_FOLDERS)
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def _manifests(options: argparse.Namespace) -> list[Path]:
    if not options.files:
        raise ValueError("-f: name the files or folders with the manifests that the service runs")
    if "-" in options.files:
        raise ValueError("-f -: a service has no standard input; write the manifests into a file")
    return [Path(each) for each in options.files]


def _check(options: argparse.Namespace) -> None:
    """ValueError where options exclude each other."""
    if options.user and not options.system:
        raise ValueError("--user: is for --system; without it the service is yours")
    if options.system and options.containers == "podman":
        raise ValueError(
            "--containers podman: rootless podman belongs to a user, so leave --system out; after `loginctl "
            "enable-linger` the service runs from boot on"
        )
    if options.system and options.state is not None:
        raise ValueError(f"--state: systemd gives a system service its folder, /var/lib/{NAME}")


def _check_secrets(manifests: ManifestSet) -> None:
    """What systemd's own user can read, everybody can."""
    if manifests.secrets:
        raise ValueError(
            f"-f: Secret {min(manifests.secrets)} is in a file that the user that systemd makes could "
            "read only if everybody could; name its owner with --user, or take the Secret out and put "
            f"its variables, such as HF_TOKEN, into /etc/{NAME}/environment, which is root's alone"
        )


def _check_open(files: list[Path]) -> None:
    closed = installing.closed_to_others([Path(sys.executable), Path(__file__), *files])
    if closed is not None:
        raise ValueError(
            f"{closed}: is closed to the user that systemd makes for the service; put tidegate, manifests "
            "and models where everybody can read them, such as /opt, or name their owner with --user"
        )


def _ports(options: argparse.Namespace) -> list[int]:
    """Those of the two listeners; 0 where the option was not given."""
    given = [value for value in (options.listen, options.admin_listen) if isinstance(value, str)]
    return [int(value.rpartition(":")[2]) for value in given]
