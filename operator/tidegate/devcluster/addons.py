"""What a usable cluster has beside its parts: the names of Services, and volumes for claims."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

import yaml

from tidegate.devcluster.kindconfig import ClusterConfig

MANIFESTS = Path(__file__).parent / "manifests"


def addons(config: ClusterConfig) -> Iterator[dict[str, Any]]:
    """The objects to apply, in order."""
    for file in ("storage.yaml", "dns.yaml"):
        text = Template((MANIFESTS / file).read_text()).substitute(DNS_ADDRESS=config.dns_address)
        yield from yaml.safe_load_all(text)
