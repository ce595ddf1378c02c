"""A unary CPU model behind HTTP: torch, libgomp's threads, one request at a time. Runs in the worker's image.

    python3 unary_worker.py serve     POST /predict?threads=2 answers when the model has run
    python3 unary_worker.py busy 60   the same model over and over for 60 s: somebody else's inference pod

The model is a transformer encoder of twelve layers with random weights, and a request is ten passes over 64
tokens: some 1,500 parallel regions, each with a barrier at its end, as any model has that computes one
operator after another.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import torch

PORT = 8000
BUSY = Path("/tmp/busy")  # noqa: S108 - in its own pod; there once the load has begun
LAYERS, WIDTH, HEADS, TOKENS, PASSES = 12, 384, 6, 64, 10


class Model:
    """The encoder and its input."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        layer = torch.nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, batch_first=True)
        self._encoder = torch.nn.TransformerEncoder(layer, LAYERS).eval()
        self._tokens = torch.randn(1, TOKENS, WIDTH)
        self.own_threads = torch.get_num_threads()

    def predict(self, threads: int = 0) -> dict[str, Any]:
        """Runs the passes; ``threads`` 0: as many as the process was started with."""
        torch.set_num_threads(threads or self.own_threads)
        begun, used = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            for _ in range(PASSES):
                self._encoder(self._tokens)
        return {
            "seconds": time.perf_counter() - begun,
            "cpu_seconds": time.process_time() - used,
            "threads": torch.get_num_threads(),
        }


def handler(model: Model) -> type[BaseHTTPRequestHandler]:
    """Answers GET (ready) and POST (a prediction) with JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({"threads": model.own_threads})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            query = parse_qs(urlsplit(self.path).query)
            self._answer(model.predict(int(query.get("threads", ["0"])[0])))

        def log_message(self, *_: object) -> None:
            """Says nothing of a request."""

        def _answer(self, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


def main() -> None:
    model = Model()
    model.predict(threads=1)  # the first run allocates
    if sys.argv[1] == "serve":
        HTTPServer(("0.0.0.0", PORT), handler(model)).serve_forever()  # noqa: S104 - a pod's own address
    BUSY.touch()
    end = time.monotonic() + float(sys.argv[2])
    while time.monotonic() < end:
        model.predict()


if __name__ == "__main__":
    main()
