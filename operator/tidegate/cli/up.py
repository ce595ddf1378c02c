"""``tidegate up``: the InferenceServices of files, served on this machine without a cluster."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from tidegate.cli.arguments import address, positive
from tidegate.cli.gateway import add_upstream_limits, gateway_settings
from tidegate.cli.here import add_state, folder
from tidegate.domain.limits import DEFAULT_MAX_DEPTH
from tidegate.gateway.settings import GatewaySettings
from tidegate.local.manifests.legacy_environment import Legacy, gateway_only, read_legacy
from tidegate.local.state.state_folder import held
from tidegate.resources.names import GATEWAY_ADMIN_PORT, GATEWAY_PORT

_EPILOG: Final = (
    "Ctrl-C, SIGTERM and `tidegate down` let requests that run and wait finish and end the workers; a second "
    "Ctrl-C ends all at once. Exit codes: 0 it was told to end and has; 1 it could not start (a manifest is "
    "wrong, an address is taken, another one runs with this state folder) or failed, with a sentence on "
    "stderr; 2 wrong usage."
)


def add_up(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.epilog = _EPILOG
    text = "InferenceServices and the Secrets they need: a file, a folder, - for stdin; may be repeated"
    parser.add_argument(
        *("-f", "--file"), dest="files", type=Path, action="append", required=True, metavar="PATH", help=text
    )
    _add_listeners(parser)
    add_state(parser)
    text = "where models and claims are looked for ($XDG_CACHE_HOME/tidegate or ~/.cache/tidegate)"
    parser.add_argument("--root", type=Path, metavar="FOLDER", help=text)
    drain = int(GatewaySettings().drain_seconds)
    text = f"for the requests that still run when it is told to end ({drain})"
    parser.add_argument("--drain-seconds", type=positive, default=drain, metavar="SECONDS", help=text)
    text = f"the queue limit of services that set none ($Q_MAX, else {DEFAULT_MAX_DEPTH})"
    parser.add_argument("--default-max-depth", type=positive, metavar="N", help=text)
    text = "a line of JSON for each request on stdout (where that is no terminal)"
    parser.add_argument("--access-log", action=argparse.BooleanOptionalAction, default=None, help=text)
    add_upstream_limits(parser)
    parser.set_defaults(command=_up, usual_log_level="WARNING")


def _add_listeners(parser: argparse.ArgumentParser) -> None:
    text = f"for clients (127.0.0.1:{GATEWAY_PORT}); whoever reaches it may use the models"
    local = ("127.0.0.1", GATEWAY_PORT)
    parser.add_argument("--listen", type=address, default=local, metavar="HOST:PORT", help=text)
    text = f"metrics, status and demand; never for clients (127.0.0.1:{GATEWAY_ADMIN_PORT})"
    local = ("127.0.0.1", GATEWAY_ADMIN_PORT)
    parser.add_argument("--admin-listen", type=address, default=local, metavar="HOST:PORT", help=text)


def _up(options: argparse.Namespace) -> int:
    if not sys.platform.startswith("linux"):
        raise ValueError(
            f"tidegate up needs Linux, and this is {sys.platform}: run it in a virtual machine or a container"
        )
    legacy = read_legacy(os.environ)
    if legacy.supervisor:
        with held(folder(options)):  # before what takes long to load: who asks meanwhile waits for the answer
            return _served(options, legacy)
    return _gateway_alone(options, legacy)


def _served(options: argparse.Namespace, legacy: Legacy) -> int:
    import uvloop  # noqa: PLC0415  other commands must not wait for it

    from tidegate.cli.local_up import UpSettings, up  # noqa: PLC0415
    from tidegate.local.processes.launching import take_more_files  # noqa: PLC0415

    settings = UpSettings(
        manifests=tuple(str(path) for path in options.files),
        state=folder(options),
        root=options.root,
        gateway=_gateway_settings(options),
        default_max_depth=_default_max_depth(options, legacy),
        legacy=legacy,
        worker_files=take_more_files(),
    )
    return uvloop.run(up(settings))


def _gateway_alone(options: argparse.Namespace, legacy: Legacy) -> int:
    """The older gateway without its supervisor: nothing is started, and nothing of this machine is held."""
    import uvloop  # noqa: PLC0415

    from tidegate.gateway.server import serve  # noqa: PLC0415
    from tidegate.local.files import FileSubstrate  # noqa: PLC0415

    if options.log_level is None:
        logging.getLogger("tidegate").setLevel(logging.INFO)  # so that the gateway tells where it listens
    path = gateway_only([str(each) for each in options.files])
    substrate = FileSubstrate(path, default_max_depth=_default_max_depth(options, legacy))
    substrate.check()
    uvloop.run(serve(_gateway_settings(options), substrate))
    return 0


def _default_max_depth(options: argparse.Namespace, legacy: Legacy) -> int:
    return options.default_max_depth or legacy.max_depth or DEFAULT_MAX_DEPTH


def _gateway_settings(options: argparse.Namespace) -> GatewaySettings:
    terminal = sys.stdout.isatty()
    access_log = not terminal if options.access_log is None else options.access_log
    return replace(gateway_settings(options), access_log=access_log)
