"""docs/reference/gateway.md, written from the same values that the gateway works with."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType
from typing import get_type_hints

from tidegate.domain import api_errors
from tidegate.domain.api_errors import INVALID, ApiError
from tidegate.domain.outcome import Outcome
from tidegate.domain.service import ServiceKey
from tidegate.gateway import accesslog, families, request, settings
from tidegate.gateway.books import rejected_reasons
from tidegate.gateway.header_names import ANSWER_FIELDS, REQUEST_FIELDS, WORKER_FIELDS, HeaderField
from tidegate.gateway.metrics import CLIENT_GONE_STATUS
from tidegate.gateway.settings import GatewaySettings

_HEAD = """# The gateway

<!-- Generated from operator/tidegate/gateway and domain; `make manifests` writes it. -->

Every name that a client, a dashboard or an administrator meets. How to read them:
[observability](../observability.md). What a client sees of them: [clients](../clients.md).
"""
_PATHS = (
    ("traffic", "`/v1/…`, `/<namespace>/<name>/v1/…`, or by Host", "the service's workers"),
    (
        "traffic",
        "`/v1/models`, `/v1/models/<name>`",
        "the names of every service, or of the one in path or Host; `/<namespace>/v1/models` a namespace's",
    ),
    (
        "traffic",
        "`/health`, `/<namespace>/<name>/health`",
        '`{"status", "worker_state", "batch_window_ms"}`; 200 whatever the workers do',
    ),
    ("both", "`/healthz`", "200; 500 where a task has ended without which the gateway cannot go on"),
    ("both", "`/readyz`", "200; 503 before the services are known, and while it drains"),
    ("admin", "`/metrics`", "Prometheus' text format, 0.0.4"),
    ("admin", "`/status`", "JSON: each service's depth, limits, endpoints, last cold start"),
    (
        "admin",
        "`/slo/<namespace>/<name>`",
        "JSON: what one service has counted since `uptimeSeconds` ago: `requests` by outcome and status, and "
        "`histograms` (delay, execution, total, firstToken, rate; counts between two edges, the last above "
        "all of them, warm and cold starts together). `instance` is another one after each start.",
    ),
    ("admin", "`/demand`", "lines of JSON without end, for the operator"),
)
_PATHS_END = """
HEAD is answered as GET is, without the body. What the gateway answers itself wakes no worker, is no outcome,
and is no line of the access log.
"""
_OUTCOMES_HEAD = """
Each request ends in exactly one. The word is the label `outcome` of the metric and the field `outcome` of the
access log. Each is counted in `gateway_requests_total`; the last column says where else.

"""
_METRICS_HEAD = """
Every metric has the labels `namespace` and `service`, both empty for requests that never found a service; a
service that is removed takes its series with it. `start` is `warm`, or `cold` where the request waited for a
first worker. `code` is the HTTP status; one that HTTP does not know is `5xx` and the like.

"""
# What is refused where it is met, and not in domain.api_errors.
_REFUSED_IN_PLACE = (
    (408, "request_timeout", "The header did not arrive in time."),
    (417, "invalid_request", "Expect asks for something other than 100-continue."),
    (501, "invalid_request", "CONNECT, a method or transfer coding that is not known."),
)
_FLAGS = {"listen_host": "--listen", "listen_port": "--listen"} | {
    "admin_host": "--admin-listen",
    "admin_port": "--admin-listen",
    "peer_host": "--peer-listen",
    "peer_port": "--peer-listen",
}


@dataclass(frozen=True, slots=True)
class Flag:
    """One option of ``tidegate gateway``."""

    name: str
    value: str
    help: str


@dataclass(frozen=True, slots=True)
class _Refusal:
    error: ApiError
    when: str


def gateway_reference(flags: Iterable[Flag]) -> str:
    """The page, as Markdown."""
    flags = tuple(flags)
    sections = {
        "Ports and paths": _table(("port", "path", "answer"), _PATHS) + _PATHS_END,
        "Outcomes": _outcomes(),
        "Error codes": _error_codes(),
        "Headers of a request": _headers(REQUEST_FIELDS),
        "Headers of an answer": _headers(ANSWER_FIELDS),
        "Headers of a worker's answer": _headers(WORKER_FIELDS),
        "Metrics": _metrics(),
        "Access log": _access_log(),
        "Settings": _settings({flag.name for flag in flags}),
        "Options of tidegate gateway": _table(
            ("option", "value", "meaning"), ((f"`{f.name}`", f.value, f.help) for f in flags)
        ),
    }
    return _HEAD + "".join(f"\n## {title}\n\n{text.strip()}\n" for title, text in sections.items())


def _outcomes() -> str:
    statuses: dict[Outcome, set[str]] = {outcome: set() for outcome in Outcome}
    for refusal in _refusals():
        statuses[refusal.error.outcome].add(_status(refusal.error))
    statuses[Outcome.COMPLETED] = {"the worker's"}
    statuses[Outcome.CLIENT_GONE] = {str(CLIENT_GONE_STATUS)}
    rows = ((f"`{o.value}`", o.when, ", ".join(sorted(statuses[o])), _counted(o)) for o in Outcome)
    return _OUTCOMES_HEAD + _table(("outcome", "when", "HTTP status", "counted in"), rows)


def _status(error: ApiError) -> str:
    """An example's status is 1 where the real one is what the worker answered."""
    return str(error.status) if error.status >= 400 else "the worker's"


def _counted(outcome: Outcome) -> str:
    if outcome.rejected:
        reasons = ", ".join(f"`{reason}`" for reason in rejected_reasons(outcome))
        return f"`gateway_rejected_total`, reason {reasons}"
    if outcome is Outcome.CLIENT_GONE:
        return "the histograms, where it was dispatched"
    return "" if outcome.value.startswith("evicted") else "the histograms"


def _error_codes() -> str:
    rows = [
        (
            _status(e),
            f"`{e.code}`",
            f"`{e.type}`",
            f"`{e.outcome.value}`",
            "yes" if e.retry_after else "",
            r.when,
        )
        for r in _refusals()
        for e in (r.error,)
    ]
    return _table(("status", "code", "type", "outcome", "Retry-After", "when"), sorted(set(rows)))


def _refusals() -> Iterator[_Refusal]:
    for module in (api_errors, request):
        yield from _built_by(module)
    for status, code, when in _REFUSED_IN_PLACE:
        yield _Refusal(ApiError(status, INVALID, code, "", Outcome.REJECTED_INVALID), when)


def _built_by(module: ModuleType) -> Iterator[_Refusal]:
    """One example of each refusal that a function of the module builds, and its docstring's first line."""
    for function in vars(module).values():
        if not inspect.isfunction(function) or function.__module__ != module.__name__:
            continue
        hints = get_type_hints(function)
        if hints.get("return") is ApiError:
            needed = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
            arguments = {p.name: _example(hints[p.name]) for p in needed}
            yield _Refusal(function(**arguments), _first_line(function.__doc__))


def _example(kind: object) -> object:
    if kind is ServiceKey:
        return ServiceKey("namespace", "name")
    return kind(1) if kind in (int, float, str, bool) and callable(kind) else None


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _headers(fields: Iterable[HeaderField]) -> str:
    rows = ((f"`{field.name}`", field.values, field.meaning) for field in fields)
    return _table(("field", "values", "meaning"), rows)


def _metrics() -> str:
    rows = (
        (f"`{f.name}`", f.type, f.unit, ", ".join(f"`{label}`" for label in f.labels), f.help)
        for f in families.FAMILIES
    )
    edges = "".join(
        f"- `{family.name}`: {', '.join(f'{edge:g}' for edge in edges)}\n"
        for family, edges in families.EDGES.items()
    )
    table = _table(("metric", "type", "unit", "labels", "meaning"), rows)
    return f"{_METRICS_HEAD}{table}\nUpper edges of the buckets, beside +Inf:\n\n{edges}"


def _access_log() -> str:
    rows = ((f"`{name}`", text) for name, text in _documented(accesslog, "Line"))
    text = (
        "One line of JSON a request on standard output, at its end; one also for bytes that were no request."
    )
    return f"{text}\n\n{_table(('field', 'meaning'), rows)}"


def _settings(flags: set[str]) -> str:
    def option(name: str) -> str:
        flag = _FLAGS.get(name, "--" + name.replace("_", "-"))
        return f"`{flag}`" if flag in flags else ""

    defaults = GatewaySettings()
    rows = (
        (f"`{name}`", f"{getattr(defaults, name)}", option(name), text)
        for name, text in _documented(settings, "GatewaySettings")
    )
    return "Durations are seconds, sizes bytes.\n\n" + _table(
        ("setting", "default", "option", "meaning"), rows
    )


def _documented(module: ModuleType, name: str) -> Iterator[tuple[str, str]]:
    """Each field of a class: its name, and the text that stands under it."""
    tree = ast.parse(inspect.getsource(module))
    body = next(n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    for field, under in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(under, ast.Expr):
            yield ast.unparse(field.target), str(ast.literal_eval(under.value))


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    first = tuple(head)
    lines = ["| " + " | ".join(map(_cell, row)) + " |" for row in (first, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(first), *lines[1:]]) + "\n"


def _cell(text: str) -> str:
    """One line, and code as Markdown marks it."""
    return " ".join(text.split()).replace("|", "\\|").replace("``", "`")
