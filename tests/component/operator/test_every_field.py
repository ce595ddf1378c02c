"""Every field of the CRD, changed in every way: refused by its name, or obeyed; and back where it began."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.component.operator.conftest import Stage
from tests.component.operator.harness import World
from tests.mutations.changes import Change, changes, is_never_legal
from tests.mutations.fields import Field, Json, fields
from tests.mutations.live import LiveService
from tests.mutations.samples import home
from tests.mutations.trial import Tally, Trial
from tidegate.api.crd import inference_service_crd
from tidegate.kube.client import KubeClient

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(1200)]

ROOT: Json = inference_service_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SPEC: Json = ROOT["properties"]["spec"]
FIELDS = [Field(("spec",), SPEC), *fields(SPEC, ("spec",))]
LIVE = 8  # services that are changed at the same time


def all_changes() -> list[Change]:
    return [change for field in FIELDS for change in changes(field)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tally(kube: KubeClient) -> AsyncIterator[Tally]:
    """What became of every change; the figures are told at the end (pytest -s)."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "every-field"}}
    await kube.create("/api/v1/namespaces", body, field_manager="tests")
    found = await Trial(kube, "every-field", ROOT).all(all_changes())
    yield found
    print(
        f"\n{len(FIELDS)} fields, {len(all_changes())} changes: {found.refused} refused by name, "
        f"{found.accepted} accepted, {found.told} of them told in a condition; "
        f"{found.lived} made by a running operator, and back"
    )


async def test_each_change_is_refused_by_name_or_accepted_by_all(tally: Tally) -> None:
    assert not tally.faults, f"{len(tally.faults)} faults:\n" + "\n".join(sorted(tally.faults))


async def test_every_field_has_a_legal_value_but_those_that_are_there_to_be_refused(tally: Tally) -> None:
    unknown = [
        field.name for field in FIELDS[1:] if not tally.legal.get(field.name) and not is_never_legal(field)
    ]
    assert not unknown, f"tell a legal value in tests/mutations/samples.py for {unknown}"
    assert not [name for field in FIELDS if is_never_legal(field) and (name := field.name) in tally.legal]


async def test_a_change_is_obeyed_and_the_way_back_ends_where_it_began(
    world: World, stage: Stage, tally: Tally
) -> None:
    queue = [
        (name, spec)
        for name, specs in tally.legal.items()
        for spec in specs[: 2 if name.count(".") < 3 else 1]
    ]
    faults: list[str] = []

    async def worker(number: int) -> None:
        service = LiveService(world, f"live-{number}")
        await service.begin(home(""))
        while queue:
            name, spec = queue.pop()
            tally.lived += 1
            if wrong := await service.there_and_back(home(name), spec):
                faults.append(f"{name}: {wrong}")

    await asyncio.gather(*(worker(number) for number in range(LIVE)))
    assert not faults, "\n".join(sorted(faults))
    await stage.operator.settled(1)  # and then it writes nothing
