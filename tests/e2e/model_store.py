"""A store of models in a pod: the one of tests/component/cache, whose one model waits in a file.

It is told by ``kubectl exec``, so that it need not be reached from outside.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.kubectl import Kubectl, Object
from tests.e2e.restricted import RESTRICTED
from tests.e2e.services import ENGINE_SIM

NAME = "store"
PORT = 8090
MODEL = "acme/chat"
GATED = "model-2.safetensors"
SIZE = 4_000_000  # bytes of each of the two large files
SOURCE = Path(__file__).resolve().parents[1] / "component" / "cache" / "store.py"

_PROGRAM = f"""
import json, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from store import Gate, Repository, Store, serving

found = Store()
weights = bytes(range(250)) * ({SIZE} // 250)
found.repositories["{MODEL}"] = Repository({{
    "config.json": b'{{"model_type": "acme"}}',
    "model-1.safetensors": weights,
    "{GATED}": weights[::-1],
}})
gate = found.gates["{GATED}"] = Gate({SIZE} // 2)

class Control(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/open":
            gate.opened.set()
        body = json.dumps({{"reached": gate.reached.is_set(), "sent": dict(found.sent)}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

with serving(found, host="0.0.0.0", port={PORT}):
    HTTPServer(("127.0.0.1", {PORT + 1}), Control).serve_forever()
"""


def open_store(kubectl: Kubectl, namespace: str) -> str:
    """Starts it; the address for HF_ENDPOINT."""
    data = {"store.py": SOURCE.read_text(), "main.py": _PROGRAM}
    metadata = {"name": NAME, "namespace": namespace}
    kubectl.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}, _pod(metadata)
    )
    where = (f"pod/{NAME}", "-n", namespace)
    kubectl.run("wait", *where, "--for=condition=Ready", "--timeout=90s", timeout=100)
    return f"http://{kubectl.get(*where)['status']['podIP']}:{PORT}"


def _pod(metadata: Object) -> Object:
    container = {
        "name": NAME,
        "image": ENGINE_SIM,  # any image with Python
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "/store/main.py"],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "code", "mountPath": "/store"}],
    }
    spec = {
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "code", "configMap": {"name": NAME}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def told(kubectl: Kubectl, namespace: str, path: str = "/") -> Object:
    """``reached``: somebody waits in the file; ``sent``: bytes by file. The path ``/open`` ends the wait."""
    script = (
        f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{PORT + 1}{path}').read().decode())"
    )
    found: Object = json.loads(kubectl.run("exec", NAME, "-n", namespace, "--", "python3", "-c", script))
    return found
