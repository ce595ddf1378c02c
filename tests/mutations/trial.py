"""One change before the API server: refused by name, or accepted by everybody who must accept it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from tests.mutations.changes import Change, is_never_legal
from tests.mutations.fields import Field, Json, placed
from tests.mutations.samples import example, surroundings
from tests.unit.resources.services import IMAGES, desired
from tidegate.api.v1alpha1 import parse
from tidegate.kube import paths
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import InvalidError
from tidegate.resources.deployment import build_deployment
from tidegate.resources.differs import differences
from tidegate.resources.image_volumes import dropped_image_volume

NEVER_SHOWN = "spec.pod.volumes[0].hostPath"
_DRY = "?dryRun=All"
_AT_ONCE = 16


@dataclass
class Tally:
    """What became of all changes. ``faults``: sentences for those that were neither refused nor right."""

    refused: int = 0
    accepted: int = 0
    told: int = 0  # accepted by the schema, and the operator's condition names the field
    faults: list[str] = field(default_factory=list)
    legal: dict[str, list[Json]] = field(default_factory=dict)  # field -> accepted specs that differ
    lived: int = 0  # made by a running operator


def changed(change: Change, schema: Json) -> Json:
    """{"spec": ...} with the change in it, in surroundings in which its field means something."""
    whole = {"spec": surroundings(change.field.name)}
    return placed(whole, change.field.path, change.value, lambda path: _example(schema, path))


def _example(schema: Json, path: tuple[str, ...]) -> Any:
    node = schema
    for part in path:
        node = node["items"] if part == "[]" else _child(node, part)
    return example(Field(path, node).name, node) or ([] if node.get("type") == "array" else {})


def _child(node: Json, part: str) -> Json:
    found: Json = node["additionalProperties"] if part == "{}" else node["properties"][part]
    return found


def manifest(namespace: str, whole: Json, name: str = "sample") -> Json:
    """An InferenceService; ``whole``: {"spec": ...}."""
    return {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": namespace},
        **whole,
    }


class Trial:
    """Tries changes without leaving anything on the API server."""

    def __init__(self, kube: KubeClient, namespace: str, schema: Json) -> None:
        self._kube = kube
        self._namespace = namespace
        self._schema = schema
        self._room = asyncio.Semaphore(_AT_ONCE)
        self.tally = Tally()

    async def all(self, changes: list[Change]) -> Tally:
        """The tally of all of them."""
        async with asyncio.TaskGroup() as group:
            for change in changes:
                group.create_task(self._one(change))
        return self.tally

    async def _one(self, change: Change) -> None:
        whole = changed(change, self._schema)
        async with self._room:
            try:
                stored = await self._dry_run(paths.inference_services(self._namespace), whole)
            except InvalidError as error:
                self._refused(change, whole, str(error))
                return
            fault = await self._accepted(stored)
        if fault:
            self.tally.faults.append(f"{change}: {fault}")
        elif change.kind not in ("missing", "null") and whole["spec"] != surroundings(change.field.name):
            self.tally.legal.setdefault(change.field.name, []).append(whole["spec"])

    async def _dry_run(self, path: str, whole: Json) -> Json:
        body = manifest(self._namespace, whole)
        return await self._kube.create(f"{path}{_DRY}&fieldValidation=Strict", body, field_manager="tests")

    def _refused(self, change: Change, whole: Json, sentence: str) -> None:
        self.tally.refused += 1
        if _parses(manifest(self._namespace, whole)):
            self.tally.faults.append(
                f"{change}: refused by the API server, accepted from a file: {sentence[:250]}"
            )
        if not names_the_field(change.field, sentence):
            self.tally.faults.append(f"{change}: the refusal does not name the field: {sentence[:300]}")

    async def _accepted(self, stored: Json) -> str | None:
        """What the operator would do with it; a sentence where it could not."""
        self.tally.accepted += 1
        stored["metadata"] |= {"namespace": self._namespace, "uid": "u-u"}
        try:
            service = parse(stored)
        except ValueError as error:
            return f"the API server accepts it and the operator refuses it: {error}"
        try:
            build_deployment(service, IMAGES)
        except ValueError as error:
            self.tally.told += 1
            return None if str(error).startswith("spec.") else f"the condition names no field: {error}"
        return await self._holds(service)

    async def _holds(self, service: Any) -> str | None:
        """Whether Kubernetes accepts what is made of it and says it back."""
        wanted = desired(service)
        made = (
            (paths.deployments(self._namespace), wanted.deployment),
            (paths.pod_disruption_budgets(self._namespace), wanted.budget),
        )
        for path, body in made:
            if body is None:
                continue
            try:
                answer = await self._kube.create(path + _DRY, body, field_manager="tests")
            except InvalidError as error:
                return f"Kubernetes refuses what is made of it: {error}"
            if why := _not_said_back(body, answer):
                return why
        return None


def _parses(raw: Json) -> bool:
    """Whether the file of a gateway without a cluster might say so."""
    try:
        parse(raw, strict=True)
    except ValueError:
        return False
    return True


def _not_said_back(wanted: Json, answer: Json) -> str | None:
    missing = differences({"spec": wanted["spec"]}, answer)
    if not missing or (wanted["kind"] == "Deployment" and dropped_image_volume(wanted, answer)):
        return None
    return f"it would be applied for ever: {missing[:3]}"


def names_the_field(field: Field, sentence: str) -> bool:
    """By its path, or by the path of what holds it together with its own name."""
    whole = (field.shown, field.shown.replace("[0]", ""), field.shown.removeprefix("spec."))
    if any(path in sentence for path in whole):
        return True
    if is_never_legal(field):
        return NEVER_SHOWN in sentence
    holder, leaf = ".".join(field.shown.split(".")[:2]), field.shown.rpartition(".")[2].partition("[")[0]
    return holder in sentence and leaf in sentence
