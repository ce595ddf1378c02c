"""Mode External: who sets the number, and what their autoscaler says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tidegate.domain.loose import Json, mapping, mappings, text, whole
from tidegate.domain.timestamps import from_timestamp
from tidegate.views import words
from tidegate.views.seen import Facts
from tidegate.views.topic import Topic

_CONTROLLER: Final = "kube-controller-manager"  # HorizontalPodAutoscalers run in it, KEDA's among them


def last_writer(service: Json) -> Json:
    """The entry of managedFields that wrote spec.replicas last; empty where none tells."""
    entries = mappings(mapping(service.get("metadata")).get("managedFields"))
    writers = [entry for entry in entries if "f:replicas" in _spec_fields(entry)]
    return max(writers, key=lambda entry: from_timestamp(entry.get("time")) or 0.0, default={})


def _spec_fields(entry: Json) -> Json:
    return mapping(mapping(entry.get("fieldsV1")).get("f:spec"))


def who_scales(facts: Facts) -> Topic | None:
    """Whoever writes spec.replicas, and every HorizontalPodAutoscaler that has the service as its target."""
    external = facts.spec is not None and facts.spec.scaling.mode == "External"
    sentences = [*(_writer(facts) if external else ())]
    for autoscaler in facts.seen.autoscalers:
        sentences += _autoscaler(autoscaler, facts) if external else _refused(autoscaler)
    return Topic("Scaled by", tuple(sentences)) if sentences else None


def _writer(facts: Facts) -> Iterator[str]:
    replicas = facts.spec.replicas if facts.spec else None
    number = "is not set" if replicas is None else f"is {replicas}"
    yield (
        f"The mode is External: spec.replicas {number}, and tidegate follows it. It neither wakes the "
        "service nor puts it to sleep."
    )
    if facts.seen.here:
        yield "Who scales it changes the number in the manifest."
        return
    entry = last_writer(facts.seen.service)
    if not entry:
        yield "Who wrote spec.replicas cannot be told: the object's managedFields do not say."
        return
    manager = text(entry.get("manager")) or "somebody without a name"
    who = "the HorizontalPodAutoscaler controller" if _is_controller(entry) else "field manager " + manager
    moment = from_timestamp(entry.get("time"))
    when = "" if moment is None else f" {words.at(moment, facts.now)}"
    how = ", through the scale subresource" if entry.get("subresource") == "scale" else ""
    yield f"{who[0].upper()}{who[1:]} wrote it last{when}{how}."


def _is_controller(entry: Json) -> bool:
    return entry.get("manager") == _CONTROLLER and entry.get("subresource") == "scale"


def _autoscaler(raw: Json, facts: Facts) -> Iterator[str]:
    name, spec, status = _name(raw), mapping(raw.get("spec")), mapping(raw.get("status"))
    least, most = spec.get("minReplicas", 1), whole(spec.get("maxReplicas"))
    wants = f"; it wants {whole(status['desiredReplicas'])}" if "desiredReplicas" in status else ""
    yield f"HorizontalPodAutoscaler {name} scales it between {least} and {most}{wants}."
    for each in mappings(status.get("conditions")):
        if _worth_telling(each):
            yield words.sentence(f"It says {text(each.get('reason'))}: {text(each.get('message'))}")

    if facts.spec and facts.spec.replicas == 0 and least:
        yield "At 0 it does nothing: begin with kubectl scale --replicas 1."


def _worth_telling(condition: Mapping[str, object]) -> bool:
    """ScalingLimited is the one whose True is a restriction."""
    return condition.get("status") == ("True" if condition.get("type") == "ScalingLimited" else "False")


def _refused(raw: Json) -> Iterator[str]:
    yield (
        f"HorizontalPodAutoscaler {_name(raw)} has this service as its target, but the mode is Managed: it "
        "changes nothing, and says FailedGetScale. Delete it, or set scaling.mode to External."
    )


def _name(raw: Json) -> str:
    return text(mapping(raw.get("metadata")).get("name"))
