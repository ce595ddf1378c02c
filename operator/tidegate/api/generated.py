"""Every file that is written from the models: path within the checkout, and text."""

from __future__ import annotations

from tidegate.api.crd import rendered
from tidegate.api.reference import reference


def generated_files() -> dict[str, str]:
    """The CRDs, the chart's copies of them (helm cannot reach out of its folder), and the reference page."""
    crds = rendered()
    return {
        **{f"crds/{name}": text for name, text in crds.items()},
        **{f"charts/tidegate/files/crds/{name}": text for name, text in crds.items()},
        "docs/reference/inferenceservice.md": reference(),
    }
