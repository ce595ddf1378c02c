"""Validates every manifest that ships or that the chart renders; exits 1 with a line for each fault.

Built-in kinds are held against Kubernetes' own schemas (strict: unknown fields are faults),
InferenceServices against the generated CRD, the chart in every shape that its values allow.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

KUBERNETES = "1.34"
ROOT = Path(__file__).resolve().parents[2]
CRD = ROOT / "crds" / "tidegate.io_inferenceservices.yaml"
SHAPES: Mapping[str, tuple[str, ...]] = {
    "defaults": (),
    "demo": ("--values", "examples/demo/values.yaml"),
    "two gateways behind a load balancer": ("--set", "gateway.replicas=2,gateway.service.type=LoadBalancer"),
    "unverified kubelets": ("--set", "kubelet.insecureSkipTLSVerify=true"),
    "CRDs managed elsewhere": ("--set", "crds.install=false"),
    "one namespace": ("--set", "watchNamespace=team-a,crds.install=false"),
    "no webhooks, workers shut off": ("--set", "webhook.enabled=false,networkPolicy.workerNamespaces={a,b}"),
}


def documents(text: str, origin: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object of a YAML text, with words that say where it stands."""
    for document in yaml.safe_load_all(text):
        if document:
            name = document.get("metadata", {}).get("name", "?")
            yield f"{origin}: {document.get('kind', '?')}/{name}", document


def shipped() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object under examples/, crds/ and tests/; files of values and of docker compose hold none."""
    for folder in ("examples", "crds", "tests"):
        for path in sorted((ROOT / folder).rglob("*.yaml")):
            if "values" not in path.name and path.name != "compose.yaml":
                yield from documents(path.read_text(), str(path.relative_to(ROOT)))


def rendered(shape: str, options: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object that ``helm template`` makes of the chart with these options."""
    command = ["helm", "template", "tidegate", "charts/tidegate", "--namespace", "tidegate-system"]
    command += ["--kube-version", KUBERNETES, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"chart ({shape}): {done.stderr.strip()}")
    yield from documents(done.stdout, f"chart ({shape})")


def fault(document: dict[str, Any], schema: Mapping[str, Any]) -> str | None:
    """What is wrong with one object, None when nothing is."""
    try:
        if document.get("apiVersion", "").startswith("tidegate.io/"):
            jsonschema.validate(document, schema)
        else:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
        where = ".".join(str(part) for part in error.path)
        return f"{where or 'object'}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        return f"no schema for {document.get('apiVersion')} {document.get('kind')} in Kubernetes {KUBERNETES}"
    return None


def main() -> int:
    """0 when every manifest is valid."""
    crd = yaml.safe_load(CRD.read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    found = list(shipped())
    for shape, options in SHAPES.items():
        found += rendered(shape, options)
    faults = [f"{where}: {wrong}" for where, document in found if (wrong := fault(document, schema))]
    print("\n".join(faults) or f"{len(found)} manifests are valid (Kubernetes {KUBERNETES})")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
