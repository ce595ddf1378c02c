"""``tidegate gateway``: routes, holds, wakes and streams, over a cluster or over a file."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.cli.arguments import add_default_max_depth, add_watch_namespace, address, positive, seconds
from tidegate.gateway.peer_source import PeerSource
from tidegate.gateway.settings import GatewaySettings
from tidegate.kube.errors import KubeConfigError
from tidegate.resources.names import GATEWAY_ADMIN_PORT, GATEWAY_PORT

if TYPE_CHECKING:
    from tidegate.gateway.reference import Flag


def add_gateway(parser: argparse.ArgumentParser) -> None:
    """Its options; the reference page is made of the same."""
    _add_listeners(parser)
    parser.add_argument(
        "--peer-listen",
        type=address,
        metavar="HOST:PORT",
        help="for the other gateways, where several share the queues; never for clients",
    )
    parser.add_argument(
        "--peer",
        type=address,
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="another gateway's --peer-listen; again for each; this gateway's own may be among them",
    )
    parser.add_argument(
        "--peer-namespace", metavar="NAMESPACE", help="the others are the gateway pods of this namespace"
    )
    text = "the installation's own namespace: what is handed to another installation is left to it"
    parser.add_argument("--namespace", metavar="NAMESPACE", help=text)
    add_watch_namespace(parser)
    drain = int(GatewaySettings().drain_seconds)
    text = f"after SIGTERM, for the requests that still run ({drain})"
    parser.add_argument("--drain-seconds", type=positive, default=drain, metavar="SECONDS", help=text)
    add_upstream_limits(parser)
    parser.add_argument("--file", type=Path, help="InferenceServices, without a cluster")
    add_default_max_depth(parser)
    parser.set_defaults(command=_gateway)


def gateway_flags() -> list[Flag]:
    """Every option of ``tidegate gateway``, for the reference page."""
    from tidegate.gateway.reference import Flag  # noqa: PLC0415

    parser = argparse.ArgumentParser(add_help=False)
    add_gateway(parser)
    return [
        Flag(action.option_strings[0], str(action.metavar or ""), action.help or "")
        for action in parser._actions
    ]


def _add_listeners(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen",
        type=address,
        default=("127.0.0.1", GATEWAY_PORT),
        metavar="HOST:PORT",
        help=f"the traffic port, for clients (127.0.0.1:{GATEWAY_PORT})",
    )
    parser.add_argument(
        "--admin-listen",
        type=address,
        default=("127.0.0.1", GATEWAY_ADMIN_PORT),
        metavar="HOST:PORT",
        help=f"metrics, status and demand; never for clients (127.0.0.1:{GATEWAY_ADMIN_PORT})",
    )


def add_upstream_limits(parser: argparse.ArgumentParser) -> None:
    """How long a worker may keep silent, of every command that runs a gateway."""
    defaults = GatewaySettings()
    for flag, default, text in (
        (
            "--connect-timeout",
            defaults.connect_timeout,
            "for a connection to a worker; 0: the kernel's limit",
        ),
        ("--first-byte-timeout", defaults.first_byte_timeout, "from dispatch to an answer's head; 0: none"),
        ("--silence-timeout", defaults.silence_timeout, "between two pieces of an answer; 0: none"),
    ):
        parser.add_argument(
            flag, type=seconds, default=default, metavar="SECONDS", help=f"{text} ({default:g})"
        )


def _gateway(options: argparse.Namespace) -> int:
    peer_host, peer_port = options.peer_listen or ("127.0.0.1", 0)
    if options.peer_listen is None and (options.peer or options.peer_namespace):
        raise ValueError("--peer and --peer-namespace need --peer-listen: the others must reach this gateway")
    if options.file and options.peer_namespace:
        raise ValueError("--peer-namespace needs a cluster: with --file, name each gateway with --peer")
    if options.peer and options.peer_namespace:
        raise ValueError("--peer and --peer-namespace exclude each other")
    settings = replace(gateway_settings(options), peer_host=peer_host, peer_port=peer_port)
    import uvloop  # noqa: PLC0415  a command that shares its options must not wait for it

    uvloop.run(_serve_file(settings, options) if options.file else _serve_cluster(settings, options))
    return 0


def gateway_settings(options: argparse.Namespace) -> GatewaySettings:
    """What every gateway's command line says, also that of one machine."""
    return GatewaySettings(
        listen_host=options.listen[0],
        listen_port=options.listen[1],
        admin_host=options.admin_listen[0],
        admin_port=options.admin_listen[1],
        drain_seconds=options.drain_seconds,
        connect_timeout=options.connect_timeout,
        first_byte_timeout=options.first_byte_timeout,
        silence_timeout=options.silence_timeout,
    )


async def _serve_file(settings: GatewaySettings, options: argparse.Namespace) -> None:
    from tidegate.gateway.server import serve  # noqa: PLC0415
    from tidegate.local.files import FileSubstrate  # noqa: PLC0415

    substrate = FileSubstrate(options.file, default_max_depth=options.default_max_depth)
    substrate.check()
    await serve(settings, substrate, _static_peers(options))


def _static_peers(options: argparse.Namespace) -> PeerSource | None:
    from tidegate.gateway.peer_source import StaticPeers  # noqa: PLC0415

    return StaticPeers(options.peer) if options.peer_listen else None


async def _serve_cluster(settings: GatewaySettings, options: argparse.Namespace) -> None:
    from tidegate.gateway.server import serve  # noqa: PLC0415
    from tidegate.kube.client import KubeClient  # noqa: PLC0415
    from tidegate.kube.gateway_peers import GatewayPeers  # noqa: PLC0415
    from tidegate.kube.gateway_substrate import GatewaySubstrate  # noqa: PLC0415
    from tidegate.kube.territory import territory  # noqa: PLC0415

    try:
        connected = await KubeClient.connect()
    except KubeConfigError as error:
        raise KubeConfigError(f"{error}, or serve a file's services with --file") from None
    async with connected as client:
        substrate = GatewaySubstrate(
            client,
            default_max_depth=options.default_max_depth,
            territory=territory(client, options.watch_namespace, options.namespace),
        )
        namespace, peers = options.peer_namespace, _static_peers(options)
        await serve(settings, substrate, GatewayPeers(client, namespace) if namespace else peers)
