"""What `helm test` runs.

Arguments: the gateway's host and port; where there are webhooks, a namespace and the limit that they give.
"""

import http.client
import json
import os
import ssl
import sys
import time
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PATIENCE = 60.0  # seconds; a Service's first endpoints, and a webhook's CA, take a moment
SILENT = {
    "apiVersion": "tidegate.io/v1alpha1",
    "kind": "InferenceService",
    "metadata": {"name": "tidegate-test"},
    "spec": {"model": {"uri": "hf://a/b"}, "resources": {"cpu": 1, "memory": "1Gi"}},
}


def ask(connection, method, path, body=None, headers=None):
    """Status and body of an answer."""
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def readiness(host, port):
    """Empty where the gateway is ready, asked through its Service; else what it answers."""
    status, body = ask(http.client.HTTPConnection(host, port, timeout=5), "GET", "/readyz")
    return "" if status == 200 else f"{status}: {body[:500].decode(errors='replace')}"


def defaulting(namespace, limit):
    """Empty where a service that sets no queue.maxDepth would get the limit; else what it gets. A dry run."""
    token = (ACCOUNT / "token").read_text()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    trusted = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])
    connection = http.client.HTTPSConnection(host, port, timeout=10, context=trusted)
    path = f"/apis/tidegate.io/v1alpha1/namespaces/{namespace}/inferenceservices?dryRun=All"
    status, body = ask(connection, "POST", path, json.dumps(SILENT), headers)
    if status != 201:
        return f"{status}: {body[:500].decode(errors='replace')}"
    given = json.loads(body)["spec"].get("queue", {}).get("maxDepth")
    return "" if given == limit else f"queue.maxDepth is {given}"


def eventually(what, check):
    """Whether the check came true within the patience; says what it saw last."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            wrong = check()
        except (OSError, http.client.HTTPException) as error:
            wrong = str(error) or type(error).__name__
        if not wrong or time.monotonic() > deadline:
            print(f"failed: {what}: {wrong}" if wrong else f"ok: {what}")
            return not wrong
        time.sleep(1)


def main():
    """0 where all holds."""
    host, port, *admission = sys.argv[1:]
    held = eventually(f"http://{host}:{port}/readyz answers 200", lambda: readiness(host, int(port)))
    if admission:
        namespace, limit = admission
        what = f"a new service without queue.maxDepth is given {limit}"
        held &= eventually(what, lambda: defaulting(namespace, int(limit)))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
