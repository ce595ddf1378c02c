"""From a user's InferenceService and what he knows of its load to a comparison of policies."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace

from tidegate.api.bounds import bounds_of
from tidegate.api.config import service_config
from tidegate.api.spec import InferenceServiceSpec
from tidegate.api.v1alpha1 import InferenceService
from tidegate.cli.progress import Progress
from tidegate.cli.service_file import read_document, service_of, with_field
from tidegate.cli.simulated_load import simulated_trace
from tidegate.domain.scale_bounds import Bounds
from tidegate.simulation.comparison import Comparison, compare
from tidegate.simulation.engine import Engine
from tidegate.simulation.figures import Figures
from tidegate.simulation.policies.tidegate import Tidegate
from tidegate.simulation.run import simulate
from tidegate.simulation.scenario import Scenario
from tidegate.simulation.seeds import seeded
from tidegate.simulation.table import table
from tidegate.simulation.trace import Trace


def simulated(options: argparse.Namespace) -> str:
    """The table, or JSON, for the options of ``tidegate simulate``. OSError, or ValueError that says what is
    wrong with file, trace or setting."""
    document = read_document(options.file)
    service = service_of(document, str(options.file))
    changed = [(text, service_of(with_field(document, text), f"--try {text}")) for text in options.tries]
    trace = simulated_trace(options)
    with Progress(sys.stderr) as progress:
        scenario = _scenario(service, trace, options)
        comparison = compare(scenario, options.seed, plan=options.plan, begins=progress.begins)
        tried = [_tried(text, other, trace, options, progress) for text, other in changed]
    own = comparison.figures[0]
    whole = replace(comparison, figures=(own, *tried, *comparison.figures[1:]))
    return _json(whole, service) if options.output == "json" else table(whole, *_price(service))


def _scenario(service: InferenceService, trace: Trace, options: argparse.Namespace) -> Scenario:
    engine = Engine(
        slots=service.spec.engine.max_concurrency,
        start_seconds=options.start_seconds,
        seconds_per_prompt_token=options.seconds_per_prompt_token,
        seconds_per_token=options.seconds_per_token,
        slowdown=options.slowdown,
    )
    spec = SpecOverTime(service.spec, options.begin)
    return Scenario(
        name=service.metadata.name,
        trace=trace,
        engine=engine,
        bounds=spec.at(0.0),
        config=service_config(service),
        target=options.target_seconds,
        bounds_at=spec.at,
    )


class SpecOverTime:
    """What a spec asks for at a second of a trace that begins at ``begin``, Unix time; it is read anew when a
    schedule begins or ends."""

    def __init__(self, spec: InferenceServiceSpec, begin: float) -> None:
        self._spec, self._begin = spec, begin
        self._bounds = self._read(0.0)

    def at(self, second: float) -> Bounds:
        """The bounds, with the times of the trace."""
        until = self._bounds.scheduled.until
        if until is not None and until <= second:
            self._bounds = self._read(second)
        return self._bounds

    def _read(self, second: float) -> Bounds:
        bounds = bounds_of(self._spec, self._begin + second)
        until = bounds.scheduled.until
        edge = None if until is None else until - self._begin
        return replace(bounds, scheduled=replace(bounds.scheduled, until=edge))


def _tried(
    text: str, service: InferenceService, trace: Trace, options: argparse.Namespace, progress: Progress
) -> Figures:
    progress.begins(text)
    scenario = _scenario(service, trace, options)
    return simulate(scenario.case, Tidegate(scenario.spec, text), seeded(options.seed))


def _price(service: InferenceService) -> tuple[float, str]:
    pricing = service.spec.pricing
    return (float(pricing.per_replica_hour), pricing.currency) if pricing else (0.0, "")


def _json(comparison: Comparison, service: InferenceService) -> str:
    price, currency = _price(service)
    bound, plan = comparison.bound, comparison.plan
    rows = [{**asdict(each), "cost": each.cost(price)} for each in comparison.figures]
    report = {
        "service": str(service.metadata.name),
        "requests": len(comparison.scenario.trace.requests),
        "seconds": comparison.scenario.trace.duration,
        "targetSeconds": comparison.scenario.target,
        "currency": currency,
        "policies": rows,
        "clairvoyantPlan": asdict(plan) if plan else None,
        "lowerBoundReplicaSeconds": bound.replica_seconds if bound else None,
    }
    return json.dumps(report, indent=1)
