"""Which service a request means."""

from __future__ import annotations

from tidegate.domain.service import ServiceConfig, ServiceKey
from tidegate.gateway.router import Router


class Named:
    """A service with names."""

    def __init__(self, text: str, *names: str, created: float = 1.0) -> None:
        self.key = ServiceKey.parse(text)
        self.config = ServiceConfig(self.key, created, names or (self.key.name,))


def router(*services: Named) -> Router[Named]:
    made: Router[Named] = Router()
    for service in services:
        made.add(service)
    return made


QWEN = Named("team-a/qwen", "qwen2.5-7b")


def test_the_host_names_a_service_with_any_domain_and_port_behind_it_and_in_any_case() -> None:
    table = router(QWEN)
    for host in (
        b"qwen.team-a",
        b"qwen.team-a.svc.cluster.local",
        b"QWEN.Team-A.svc:8080",
        b"qwen.team-a:80",
    ):
        assert table.by_address(host, b"/v1/models")[0] is QWEN
    for host in (b"qwen", b"team-a.qwen", b"qwen.team-b.svc", b"", b"[::1]:80", b"10.0.0.1"):
        assert table.by_address(host, b"/v1/models")[0] is None


def test_the_path_names_a_service_and_the_worker_sees_the_rest() -> None:
    route = router(QWEN).by_address(b"gateway", b"/team-a/qwen/v1/chat/completions?x=1")
    assert route == (QWEN, b"/v1/chat/completions?x=1", None, "")


def test_the_path_wins_over_the_host() -> None:
    other = Named("team-b/other")
    route = router(QWEN, other).by_address(b"qwen.team-a", b"/team-b/other/v1/models")
    assert route[0] is other


def test_a_path_of_a_service_that_does_not_exist_is_told_by_name() -> None:
    table = router(QWEN)
    assert table.by_address(b"gateway", b"/team-a/nope/v1/completions")[2] == "team-a/nope"
    assert table.by_address(b"gateway", b"/v1/completions")[2] is None
    assert table.by_address(b"gateway", b"/tokenize")[2] is None
    assert table.by_address(b"qwen.team-a", b"/x/y/v1/z")[0] is QWEN


def test_a_bare_name_belongs_to_its_oldest_holder_and_the_full_name_to_its_own() -> None:
    old, new = Named("b/one", "chat", created=1.0), Named("a/two", "chat", created=2.0)
    for table in (router(old, new), router(new, old)):
        assert table.by_model("chat") is old
        assert table.by_model("b/one") is table.by_model("b/chat") is old
        assert table.by_model("a/two") is table.by_model("a/chat") is new
        table.remove(old)
        assert table.by_model("chat") is new
        assert table.by_model("b/one") is None


def test_nobody_takes_a_full_name_by_serving_a_name_that_looks_like_it() -> None:
    owner = Named("team-a/qwen", "x", created=5.0)
    thief = Named("team-b/t", "team-a/qwen", created=1.0)
    assert router(thief, owner).by_model("team-a/qwen") is owner


def test_a_resources_own_name_wins_in_its_namespace_over_a_served_name() -> None:
    owner, other = Named("a/chat", "m", created=9.0), Named("a/other", "chat", created=1.0)
    assert router(other, owner).by_model("a/chat") is owner


def test_served_names_may_have_slashes() -> None:
    service = Named("a/s", "Qwen/Qwen2.5-7B-Instruct")
    assert router(service).by_model("Qwen/Qwen2.5-7B-Instruct") is service


def test_hosts_that_clients_invent_are_forgotten() -> None:
    table = router(QWEN)
    for number in range(20_000):
        table.by_host(b"h%d.example" % number)
    assert len(table._hosts) <= 4096


def test_a_path_with_a_namespace_alone_leaves_the_model_to_be_found_in_it() -> None:
    table = router(QWEN)
    assert table.by_address(b"g", b"/team-a/v1/models?x=1") == (None, b"/v1/models?x=1", None, "team-a")
    assert table.by_address(b"g", b"/nobody/v1/models") == (None, b"/v1/models", None, "nobody")
    assert table.by_address(b"qwen.team-a", b"/team-a/v1/models")[0] is QWEN


def test_the_engines_own_path_is_no_namespace_unless_there_is_one_of_that_name() -> None:
    target = b"/inference/v1/generate"
    assert router(QWEN).by_address(b"g", target) == (None, target, None, "")
    table = router(QWEN, named := Named("inference/x"))
    assert table.by_address(b"g", target)[3] == "inference"
    table.remove(named)
    assert table.by_address(b"g", target)[3] == ""


def test_a_service_named_v1_takes_nothing_from_its_namespace() -> None:
    odd = Named("team-a/v1")
    table = router(QWEN, odd)
    assert table.by_address(b"g", b"/team-a/v1/models")[3] == "team-a"
    assert table.by_address(b"g", b"/team-a/v1/v1/models") == (odd, b"/v1/models", None, "")


def test_in_a_namespace_a_bare_name_is_looked_up_in_it_alone() -> None:
    old, new = Named("b/one", "chat", "B/c", created=1.0), Named("a/two", "chat", created=2.0)
    table = router(old, new)
    assert table.in_namespace("a", "chat") is table.in_namespace("a", "a/chat") is new
    assert table.in_namespace("a", "two") is new
    assert table.in_namespace("b", "B/c") is old
    assert table.in_namespace("a", "b/one") is None
    assert table.in_namespace("a", "one") is None
