"""A legal change of a service that an operator looks after, and the way back."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

from tests.component.kube.wire import eventually
from tests.component.operator.harness import World
from tests.mutations.fields import Json
from tests.mutations.trial import manifest
from tests.unit.resources.services import desired
from tidegate.api.v1alpha1 import parse
from tidegate.kube import paths
from tidegate.kube.errors import NotFoundError
from tidegate.resources.differs import differences
from tidegate.resources.image_volumes import dropped_image_volume

_BUDGET = 120.0  # seconds for one change of eight at a time; half of one on an idle machine


class LiveService:
    """One service, changed again and again."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self._home: tuple[Json, list[Json | None]] | None = None  # where it is, and what it then owns

    async def begin(self, spec: Json) -> None:
        """Made with this spec, and converged."""
        body = manifest(self._world.namespace, {"spec": spec}, self._name)
        where = paths.inference_services(self._world.namespace)
        await self._world.kube.create(where, body, field_manager="tests")
        await self._converged()

    async def there_and_back(self, home: Json, away: Json) -> str | None:
        """Changes to ``away`` and back to ``home``; a sentence where it is not as it was or should be.

        Both converge first: AssertionError where they do not.
        """
        before = await self._at(home)
        self._home = None
        await self._change(away)
        wrong = await self._not_as_wanted()
        after = await self._at(home)
        back = None if after == before else f"not back where it began: {_first_difference(before, after)}"
        return wrong or back

    async def _at(self, home: Json) -> list[Json | None]:
        if self._home is None or self._home[0] != home:
            await self._change(home)
            self._home = (home, await self._objects())
        return self._home[1]

    async def _change(self, spec: Json) -> None:
        path = paths.inference_service(self._world.namespace, self._name)
        replaced = [{"op": "replace", "path": "/spec", "value": spec}]
        await self._world.kube.json_patch(path, replaced, field_manager="tests")
        await self._converged()

    async def _converged(self) -> None:
        async def seen() -> bool:
            found = await self._world.get(self._name)
            if found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"]:
                return True
            await asyncio.sleep(0.03)
            return False

        await eventually(seen, f"{self._name} is as its spec says", seconds=_BUDGET)

    async def _not_as_wanted(self) -> str | None:
        """Whether the spec that is now stored has been obeyed, or the condition says why not."""
        raw = await self._world.get(self._name)
        ready = next(each for each in raw["status"]["conditions"] if each["type"] == "Ready")
        if ready["reason"] in ("InvalidSpec", "NoImageVolumes"):
            return None if "spec." in ready["message"] else f"names no field: {ready['message']}"
        wanted = desired(parse(raw))
        found = await self._world.deployment(self._name)
        missing = differences({"spec": wanted.deployment["spec"]}, found)
        if missing and dropped_image_volume(wanted.deployment, found) is None:
            return f"not obeyed: {missing[:3]} ({ready['reason']}: {ready['message']})"
        budget = await self._get(paths.pod_disruption_budget(self._world.namespace, f"{self._name}-worker"))
        return None if (budget is None) == (wanted.budget is None) else "the budget is not as due"

    async def _objects(self) -> list[Json | None]:
        """All that it owns, without what every write changes, and without the number of workers, which
        follows demand."""
        namespace, name = self._world.namespace, self._name
        found = [
            await self._get(paths.deployment(namespace, f"{name}-worker")),
            await self._get(paths.service(namespace, name)),
            await self._get(paths.pod_disruption_budget(namespace, f"{name}-worker")),
        ]
        return [each and _normalised(each) for each in found]

    async def _get(self, path: str) -> Json | None:
        try:
            return await self._world.kube.get(path)
        except NotFoundError:
            return None


def _normalised(raw: Json) -> Json:
    kept = ("name", "labels", "annotations", "ownerReferences")
    metadata = {name: raw["metadata"].get(name) for name in kept}
    spec = {name: value for name, value in copy.deepcopy(raw["spec"]).items() if name != "replicas"}
    return {"metadata": metadata, "spec": spec}


def _first_difference(before: Any, after: Any) -> str:
    if isinstance(before, list) and isinstance(after, list):
        found = (_first_difference(*pair) for pair in zip(before, after, strict=False) if pair[0] != pair[1])
        return next(found, f"{len(before)} and {len(after)} objects")
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted(before.keys() | after.keys())
        key = next(key for key in keys if before.get(key) != after.get(key))
        return f".{key}{_first_difference(before.get(key), after.get(key))}"
    return f": {before!r} is now {after!r}"[:200]
