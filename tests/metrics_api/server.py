"""An API server for external.metrics.k8s.io, as adapters of metrics are: where an HPA's metrics come from.

    python server.py --cert FILE --key FILE --proxy-ca FILE [--gateway http://HOST:PORT ...]

The API server passes requests on to it (APIService), proved by a certificate that ``--proxy-ca`` signed. A
metric is summed over the gateways' /metrics, by the labels that the selector names. A value that was set (PUT
/values/METRIC, by who proves himself likewise) stands in the gateways' place. The standard library only: it
runs in any image that has Python.
"""

from __future__ import annotations

import argparse
import json
import re
import ssl
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

GROUP_VERSION = "external.metrics.k8s.io/v1beta1"
ROOT = f"/apis/{GROUP_VERSION}"
METRIC = "gateway_queue_depth"
_VALUE = re.compile(rf"{ROOT}/namespaces/([a-z0-9-]+)/([a-zA-Z_:][a-zA-Z0-9_:]*)")
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\} (\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')

Labels = Mapping[str, str]
Read = Callable[[str, Labels], float]


def discovery() -> dict[str, Any]:
    """What there is, for the API server's own discovery."""
    resource = {"name": METRIC, "namespaced": True, "kind": "ExternalMetricValueList", "verbs": ["get"]}
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": GROUP_VERSION,
        "resources": [resource | {"singularName": ""}],
    }


def value_list(metric: str, labels: Labels, value: float) -> dict[str, Any]:
    """One value of a metric, in thousandths as Kubernetes writes what need not be whole."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    item = {"metricName": metric, "metricLabels": dict(labels), "timestamp": now}
    items = [item | {"value": f"{round(value * 1000)}m"}]
    return {"kind": "ExternalMetricValueList", "apiVersion": GROUP_VERSION, "metadata": {}, "items": items}


def asked_labels(selector: str) -> dict[str, str]:
    """``a=b,c=d``: the only form of selector that is understood. ValueError."""
    pairs = [pair.partition("=") for pair in selector.split(",") if pair]
    if any(not value or "=" in value or name.endswith("!") for name, _, value in pairs):
        raise ValueError(f"selector {selector!r}: only name=value, with commas between")
    return {name: value for name, _, value in pairs}


def summed(text: str, metric: str, labels: Labels) -> float:
    """The sum of the samples of a metric that carry the labels, from a text of Prometheus' format."""
    total = 0.0
    for name, found, value in _SAMPLE.findall(text):
        if name == metric and labels.items() <= dict(_LABEL.findall(found)).items():
            total += float(value)
    return total


def reader(gateways: Sequence[str]) -> Read:
    """Reads a metric from the gateways that are there now."""

    def read(metric: str, labels: Labels) -> float:
        total = 0.0
        for gateway in gateways:
            with urllib.request.urlopen(f"{gateway}/metrics", timeout=5) as answer:  # noqa: S310
                total += summed(answer.read().decode(), metric, labels)
        return total

    return read


class MetricsServer(ThreadingHTTPServer):
    """Serves what ``read`` says, and what was set in its place."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext, read: Read) -> None:
        super().__init__(address, _Handler)
        self.values: dict[str, float] = {}
        self._read = read
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def value(self, namespace: str, metric: str, labels: Labels) -> float:
        """The value of a metric in a namespace. OSError where a gateway cannot be asked."""
        if metric in self.values:
            return self.values[metric]
        return self._read(metric, {**labels, "namespace": namespace})


def tls(certificate: str, key: str, proxy_ca: str) -> ssl.SSLContext:
    """A server's context that takes nobody but who proves himself by ``proxy_ca``."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=proxy_ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    return context


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: MetricsServer

    def do_GET(self) -> None:
        """Discovery, or a value."""
        parts = urlsplit(self.path)
        found = _VALUE.fullmatch(parts.path)
        if parts.path == ROOT:
            self._answer(200, discovery())
        elif found is None:
            self._answer(404, {"message": f"there is no {parts.path}"})
        else:
            selector = parse_qs(parts.query).get("labelSelector", [""])[0]
            self._value(found[1], found[2], selector)

    def do_PUT(self) -> None:
        """Sets a value; an empty body lets the gateways speak again."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        name = self.path.rpartition("/")[2]
        self.server.values.pop(name, None)
        if body:
            self.server.values[name] = float(body)
        self._answer(200, {"values": self.server.values})

    def _value(self, namespace: str, metric: str, selector: str) -> None:
        try:
            labels = asked_labels(selector)
            value = self.server.value(namespace, metric, labels)
        except (OSError, ValueError) as error:
            failure = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": str(error)}
            self._answer(500, failure)
            return
        self._answer(200, value_list(metric, labels, value))

    def _answer(self, code: int, body: Mapping[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
        """One line for each request, on standard output."""
        print(format % args, flush=True)


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("cert", "key", "proxy-ca"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--gateway", action="append", default=[])
    parser.add_argument("--port", type=int, default=8443)
    given = parser.parse_args()
    context = tls(given.cert, given.key, given.proxy_ca)
    MetricsServer(("0.0.0.0", given.port), context, reader(given.gateway)).serve_forever()  # noqa: S104


if __name__ == "__main__":
    main()
