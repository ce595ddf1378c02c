"""Whose a namespace is: no namespace is ever served by two installations that read the same labels."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from tests.component.kube.wire import eventually
from tests.unit.kube.fakes import RecordingSink, parse, pod, service
from tidegate.kube.client import Json, KubeClient, WatchEvent
from tidegate.kube.errors import NotFoundError, UnreachableError
from tidegate.kube.service_board import ServiceBoard
from tidegate.kube.territory import Everywhere, OneNamespace, Territory, WholeCluster, territory
from tidegate.resources.names import INSTALLATION_LABEL


class Namespaces:
    """The API server's namespaces: name → label's value, or None for one without the label."""

    def __init__(self, labels: dict[str, str | None]) -> None:
        self.labels = labels
        self.away = False
        self.asked = 0

    def object(self, name: str) -> Json:
        label = self.labels[name]
        return {"metadata": {"name": name, "labels": {INSTALLATION_LABEL: label} if label else {}}}

    async def get(self, path: str) -> Json:
        self.asked += 1
        if self.away:
            raise UnreachableError("away")
        name = path.rpartition("/")[2]
        if name not in self.labels:
            raise NotFoundError(404, "NotFound", "no such namespace")
        return self.object(name)

    async def list_all(self, _: str, *, label_selector: str | None = None) -> tuple[list[Json], str]:
        assert label_selector == INSTALLATION_LABEL
        return [self.object(name) for name, label in self.labels.items() if label], "1"


def of(namespaces: Namespaces, watched: str | None, installation: str) -> Territory:
    return territory(cast(KubeClient, namespaces), watched, installation)


@pytest.mark.parametrize("label", [None, "team-a", "team-b", "tidegate-system", "nobody"])
async def test_of_a_cluster_wide_and_a_namespaced_installation_at_most_one_serves(label: str | None) -> None:
    namespaces = Namespaces({"team-a": label})
    whole, one = of(namespaces, None, "tidegate-system"), of(namespaces, "team-a", "team-a")
    await whole.look()
    await one.look()
    assert whole.owns("team-a") is (label in (None, "tidegate-system"))
    assert one.owns("team-a") is (label == "team-a")
    assert not one.owns("elsewhere")


async def test_a_namespace_that_has_not_been_read_is_not_served() -> None:
    assert not of(Namespaces({"team-a": "team-a"}), "team-a", "team-a").owns("team-a")


async def test_a_namespace_that_is_gone_is_not_served() -> None:
    one = of(Namespaces({}), "team-a", "team-a")
    await one.look()
    assert not one.owns("team-a")


async def test_the_log_names_the_command_that_hands_a_namespace_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = of(Namespaces({"team-a": None}), "team-a", "team-a")
    await one.look()
    await one.look()
    [line] = caplog.messages
    assert "kubectl label namespace team-a --overwrite tidegate.io/installation=team-a" in line


async def test_a_change_is_told_once_and_an_api_server_that_is_away_changes_nothing() -> None:
    namespaces = Namespaces({"team-a": "team-a"})
    one = OneNamespace(cast(KubeClient, namespaces), "team-a", "team-a", every=0)
    told: list[bool] = []
    task = asyncio.create_task(one.run(lambda: told.append(one.owns("team-a"))))
    await eventually(lambda: told == [True], "it is ours")
    namespaces.away, asked = True, namespaces.asked
    await eventually(lambda: namespaces.asked > asked + 2, "it is asked while away")
    assert told == [True]
    namespaces.labels["team-a"], namespaces.away = None, False
    await eventually(lambda: told == [True, False], "it is no longer ours")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_listing_that_brings_nothing_new_is_not_told() -> None:
    whole = WholeCluster(cast(KubeClient, None), "tidegate-system")
    told: list[bool] = []
    whole._changed = lambda: told.append(whole.owns("team-a"))
    item = Namespaces({"team-a": "team-a"}).object("team-a")
    whole.listed([])
    whole.listed([item])
    whole.listed([item])
    whole.changed(WatchEvent("MODIFIED", item))
    whole.changed(WatchEvent("DELETED", item))
    assert told == [True, False, True]


def test_without_an_installation_there_is_nobody_else() -> None:
    assert isinstance(territory(cast(KubeClient, None), None, None), Everywhere)


def test_a_gateway_forgets_the_services_of_a_namespace_that_is_handed_away_and_takes_them_back() -> None:
    sink, ours = RecordingSink(), True
    board = ServiceBoard(sink, parse, lambda _: ours)
    board.services.listed([service("qwen")])
    board.pods.listed([pod("p1", "qwen")])
    assert sink.log == []  # whose the namespace is must be known first
    board.territory_changed()
    assert sink.log == ["changed a/qwen 1", "synced"]
    ours = False
    board.territory_changed()
    assert sink.views == {}
    board.pods.changed(WatchEvent("ADDED", pod("p2", "qwen")))
    assert sink.views == {}
    ours = True
    board.territory_changed()
    assert sink.log[2:] == ["removed a/qwen", "changed a/qwen 2"]
