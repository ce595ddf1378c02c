"""``tidegate operator``: reconciles InferenceServices in a cluster."""

from __future__ import annotations

import argparse
import asyncio

from tidegate.cli.arguments import add_default_max_depth, add_watch_namespace, positive
from tidegate.resources.names import GATEWAY_SERVICE_PORT


def add_operator(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--namespace", required=True, help="the installation's own namespace")
    add_default_max_depth(parser)
    parser.add_argument("--worker-image-cpu", default="", help="of workers on CPU")
    parser.add_argument("--worker-image-cuda", default="", help="of workers with accelerators")
    port = GATEWAY_SERVICE_PORT
    text = f"the gateway's Service, for the url in the status ({port})"
    parser.add_argument("--gateway-port", type=positive, default=port, metavar="PORT", help=text)
    text = "the gateways' --drain-seconds: a service that may run longer is warned of (0: unknown)"
    parser.add_argument("--gateway-drain-seconds", type=int, default=0, metavar="SECONDS", help=text)
    text = "the folder on each node for services with spec.cache.node (none: they are refused)"
    parser.add_argument("--cache-node-path", default="", metavar="PATH", help=text)
    parser.add_argument("--webhook-config", default="tidegate", help="the configuration it serves; '': none")
    add_watch_namespace(parser)
    parser.add_argument(
        "--resync-seconds",
        type=positive,
        default=180,
        metavar="SECONDS",
        help="between two full listings, 20 %% more or less each time (180)",
    )
    parser.add_argument(
        "--event-repeat-seconds",
        type=positive,
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
        gateway_drain_seconds=options.gateway_drain_seconds,
        node_cache=options.cache_node_path,
        webhook_config=None if options.watch_namespace else options.webhook_config or None,
        watch_namespace=options.watch_namespace,
        resync_seconds=options.resync_seconds,
        event_repeat_seconds=options.event_repeat_seconds,
        kubelet_insecure=options.kubelet_insecure_skip_tls_verify,
    )
    asyncio.run(run(settings))
    return 0
