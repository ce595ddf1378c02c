"""The ``tidegate`` command: it alone puts an edge and a substrate together."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import uvloop

from tidegate import __version__
from tidegate.api.generated import generated_files
from tidegate.domain.limits import DEFAULT_MAX_DEPTH
from tidegate.gateway.peer_source import PeerSource
from tidegate.gateway.settings import GatewaySettings
from tidegate.kube.errors import KubeConfigError, KubeError
from tidegate.resources.names import GATEWAY_ADMIN_PORT, GATEWAY_PORT, GATEWAY_SERVICE_PORT

if TYPE_CHECKING:
    from tidegate.gateway.reference import Flag

LOG_FORMAT = "%(levelname)s %(name)s: %(message)s"  # the container's runtime adds the time


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code of one command: 0, 1 where it failed (with a sentence on stderr), 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=options.log_level, format=LOG_FORMAT, stream=sys.stderr)
    for library in ("httpx", "kopf"):  # each has a line for every request, or every event
        logging.getLogger(library).setLevel(logging.WARNING)
    # At each start it warns that it takes no signals, in the thread that is its own: the operator takes them.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except KeyboardInterrupt:
        return 130
    except (KubeConfigError, KubeError, OSError, ValueError) as error:
        print(f"tidegate: {_sentence(error)}", file=sys.stderr)
        return 1


def _sentence(error: Exception) -> str:
    named = isinstance(error, OSError) and error.filename is not None
    return f"{error.filename}: {error.strerror}" if named and isinstance(error, OSError) else str(error)


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong; the usage is what --help is for."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="tidegate", description="vLLM on your own Kubernetes.")
    parser.add_argument("--version", action="version", version=f"tidegate {__version__}")
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    parser.add_argument("--log-level", choices=levels, default="INFO", help="of messages on stderr (INFO)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_operator(commands.add_parser("operator", help="reconcile InferenceServices in a cluster"))
    _add_gateway(commands.add_parser("gateway", help="route, hold, wake and stream"))
    _add_retire(commands.add_parser("retire", help="take back what is on the nodes, before uninstalling"))
    _add_manifests(commands.add_parser("manifests", help="write what the models generate"))
    return parser


def _add_operator(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--namespace", required=True, help="the installation's own namespace")
    _add_default_max_depth(parser)
    parser.add_argument("--worker-image-cpu", default="", help="of workers on CPU")
    parser.add_argument("--worker-image-cuda", default="", help="of workers with accelerators")
    port = GATEWAY_SERVICE_PORT
    text = f"the gateway's Service, for the url in the status ({port})"
    parser.add_argument("--gateway-port", type=_positive, default=port, metavar="PORT", help=text)
    parser.add_argument("--webhook-config", default="tidegate", help="the configuration it serves; '': none")
    _add_watch_namespace(parser)
    parser.add_argument(
        "--resync-seconds",
        type=_positive,
        default=180,
        metavar="SECONDS",
        help="between two full listings, 20 %% more or less each time (180)",
    )
    parser.add_argument(
        "--event-repeat-seconds",
        type=_positive,
        default=300,
        metavar="SECONDS",
        help="between two writes of one Event, whose series counts what happened meanwhile (300)",
    )
    parser.add_argument(
        "--kubelet-insecure-skip-tls-verify",
        action="store_true",
        help="believe kubelets whose certificate the cluster's authority did not sign",
    )
    parser.set_defaults(command=_operator)


def _operator(options: argparse.Namespace) -> int:
    from tidegate.controller.app import OperatorSettings, run  # noqa: PLC0415  a gateway must not load kopf
    from tidegate.resources.deployment import WorkerImages  # noqa: PLC0415

    settings = OperatorSettings(
        namespace=options.namespace,
        images=WorkerImages(cpu=options.worker_image_cpu, cuda=options.worker_image_cuda),
        default_max_depth=options.default_max_depth,
        gateway_port=options.gateway_port,
        webhook_config=None if options.watch_namespace else options.webhook_config or None,
        watch_namespace=options.watch_namespace,
        resync_seconds=options.resync_seconds,
        event_repeat_seconds=options.event_repeat_seconds,
        kubelet_insecure=options.kubelet_insecure_skip_tls_verify,
    )
    asyncio.run(run(settings))
    return 0


def _add_retire(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--namespace", required=True, help="the installation's own namespace")
    parser.set_defaults(command=_retire)


def _retire(options: argparse.Namespace) -> int:
    asyncio.run(_retire_cluster(options.namespace))
    return 0


async def _retire_cluster(namespace: str) -> None:
    from tidegate.controller.retire import retire  # noqa: PLC0415
    from tidegate.kube.client import KubeClient  # noqa: PLC0415
    from tidegate.kube.lease import LeaseClient, LeaseName  # noqa: PLC0415

    async with await KubeClient.connect() as client:
        await retire(client, LeaseClient(client, LeaseName(namespace)), print)


def _add_gateway(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen",
        type=_address,
        default=("127.0.0.1", GATEWAY_PORT),
        metavar="HOST:PORT",
        help=f"the traffic port, for clients (127.0.0.1:{GATEWAY_PORT})",
    )
    parser.add_argument(
        "--admin-listen",
        type=_address,
        default=("127.0.0.1", GATEWAY_ADMIN_PORT),
        metavar="HOST:PORT",
        help=f"metrics, status and demand; never for clients (127.0.0.1:{GATEWAY_ADMIN_PORT})",
    )
    parser.add_argument(
        "--peer-listen",
        type=_address,
        metavar="HOST:PORT",
        help="for the other gateways, where several share the queues; never for clients",
    )
    parser.add_argument(
        "--peer",
        type=_address,
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
    _add_watch_namespace(parser)
    drain = int(GatewaySettings().drain_seconds)
    text = f"after SIGTERM, for the requests that still run ({drain})"
    parser.add_argument("--drain-seconds", type=_positive, default=drain, metavar="SECONDS", help=text)
    _add_upstream_limits(parser)
    parser.add_argument("--file", type=Path, help="InferenceServices, without a cluster")
    _add_default_max_depth(parser)
    parser.set_defaults(command=_gateway)


def _gateway_flags() -> list[Flag]:
    """Every option of ``tidegate gateway``, for the reference page."""
    from tidegate.gateway.reference import Flag  # noqa: PLC0415

    parser = argparse.ArgumentParser(add_help=False)
    _add_gateway(parser)
    return [
        Flag(action.option_strings[0], str(action.metavar or ""), action.help or "")
        for action in parser._actions
    ]


def _add_upstream_limits(parser: argparse.ArgumentParser) -> None:
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
            flag, type=_seconds, default=default, metavar="SECONDS", help=f"{text} ({default:g})"
        )


def _gateway(options: argparse.Namespace) -> int:
    peer_host, peer_port = options.peer_listen or ("127.0.0.1", 0)
    if options.peer_listen is None and (options.peer or options.peer_namespace):
        raise ValueError("--peer and --peer-namespace need --peer-listen: the others must reach this gateway")
    if options.file and options.peer_namespace:
        raise ValueError("--peer-namespace needs a cluster: with --file, name each gateway with --peer")
    if options.peer and options.peer_namespace:
        raise ValueError("--peer and --peer-namespace exclude each other")
    settings = GatewaySettings(
        peer_host=peer_host,
        peer_port=peer_port,
        listen_host=options.listen[0],
        listen_port=options.listen[1],
        admin_host=options.admin_listen[0],
        admin_port=options.admin_listen[1],
        drain_seconds=options.drain_seconds,
        connect_timeout=options.connect_timeout,
        first_byte_timeout=options.first_byte_timeout,
        silence_timeout=options.silence_timeout,
    )
    uvloop.run(_serve_file(settings, options) if options.file else _serve_cluster(settings, options))
    return 0


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


def _add_manifests(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is stale")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the checkout (the current folder)")
    parser.set_defaults(command=_manifests)


def _manifests(options: argparse.Namespace) -> int:
    from tidegate.gateway.reference import gateway_reference  # noqa: PLC0415  the operator needs none of it

    generated = {**generated_files(), "docs/reference/gateway.md": gateway_reference(_gateway_flags())}
    files = {options.root / name: text for name, text in generated.items()}
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in stale:
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], "utf-8")
        print(f"{path}: {'stale; run make manifests' if options.check else 'written'}")
    return 1 if options.check and stale else 0


def _add_default_max_depth(parser: argparse.ArgumentParser) -> None:
    text = f"the queue limit of services that set none ({DEFAULT_MAX_DEPTH})"
    parser.add_argument("--default-max-depth", type=_positive, default=DEFAULT_MAX_DEPTH, help=text)


def _add_watch_namespace(parser: argparse.ArgumentParser) -> None:
    text = "serve this namespace alone, with no right beyond it (all that are not handed to another)"
    parser.add_argument("--watch-namespace", metavar="NAMESPACE", help=text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, 0 or more")
    return seconds


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 0.0.0.0:8080")
    return host.strip("[]"), int(port)


if __name__ == "__main__":
    sys.exit(main())
