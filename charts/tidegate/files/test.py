"""What `helm test` runs: URL of the gateway, and where there are webhooks, a namespace and the expected limit."""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PATIENCE = 60.0  # seconds; a Service's first endpoints, and a webhook's CA, take a moment


def gateway_is_ready(url):
    """The gateway's answer to /readyz, through its Service."""
    with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
        return answer.status == 200


def limit_of_a_silent_service(namespace):
    """queue.maxDepth that a service which sets none would get; None where the webhook did not answer."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    path = f"/apis/tidegate.io/v1alpha1/namespaces/{namespace}/inferenceservices?dryRun=All"
    service = {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": "tidegate-test"},
        "spec": {"model": {"uri": "hf://a/b"}, "resources": {"cpu": 1, "memory": "1Gi"}},
    }
    headers = {"authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", "content-type": "application/json"}
    host = f"[{host}]" if ":" in host else host
    request = urllib.request.Request(f"https://{host}:{port}{path}", json.dumps(service).encode(), headers)
    trusted = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:
        return json.load(answer)["spec"].get("queue", {}).get("maxDepth")


def eventually(what, check):
    """Whether the check held within the patience; says what it saw last."""
    deadline, seen = time.monotonic() + PATIENCE, "nothing"
    while time.monotonic() < deadline:
        try:
            if check():
                print(f"ok: {what}")
                return True
            seen = "another answer"
        except urllib.error.HTTPError as error:
            seen = f"{error.code}: {error.read().decode(errors='replace')[:500]}"
        except OSError as error:
            seen = str(error)
        time.sleep(1)
    print(f"failed: {what}; the last try gave: {seen}")
    return False


def main():
    url, *admission = sys.argv[1:]
    held = eventually(f"{url}/readyz answers", lambda: gateway_is_ready(url))
    if admission:
        namespace, limit = admission
        what = f"a new service without queue.maxDepth is given {limit}"
        held &= eventually(what, lambda: limit_of_a_silent_service(namespace) == int(limit))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
