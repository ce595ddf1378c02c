"""Who refused an object and why, from the API server's sentence."""

from __future__ import annotations

import re

from tidegate.domain.cause import Cause, sentence
from tidegate.domain.reasons import Reason

# The name of a pod is another one at each try, and would rewrite the status each time.
_PREFIX = re.compile(
    r'^(?:Error creating: )?(?:[a-z.]+ "[^"]*" is forbidden: )?(?:Internal error occurred: )?'
)
_QUOTA = re.compile(r"exceeded quota: ([^,]+)(?:, requested: (.+), used: (.+), limited: (.+))?")
_UNSPECIFIED = re.compile(r"failed quota: ([^:]+): (must specify .*)")
_WEBHOOK = re.compile(r'admission webhook "([^"]+)" denied the request(?: without explanation|: )?(.*)')
_UNREACHABLE = re.compile(r'failed calling webhook "([^"]+)": (.*)')
_POLICY = re.compile(r"ValidatingAdmissionPolicy '([^']+)'(?: with binding '[^']+')? denied request: (.*)")
_SECURITY = re.compile(r"violates PodSecurity \"([^\"]+)\": (.*)")
_ACCOUNT = re.compile(r'error looking up service account [^:]*: serviceaccount "([^"]+)" not found')
_LIMITS = re.compile(r"(?:minimum|maximum) \S+ usage per |max limit to request ratio per ")
# "dial tcp 10.0.0.5:41234->10.96.0.10:443": the first port is another one at each try.
_SOURCE_PORT = re.compile(r":\d+->")


def refusal_cause(message: object) -> Cause:
    """Who refused, where the sentence shows it; else FailedCreate with the sentence itself."""
    told = _SOURCE_PORT.sub("->", _PREFIX.sub("", sentence(message, "pods cannot be created")))
    for pattern, build in _FORMS:
        if found := pattern.search(told):
            return build(found, told)
    return Cause(Reason.FAILED_CREATE, told)


def _quota(found: re.Match[str], _: str) -> Cause:
    name, *amounts = found.groups()
    requested, used, limited = (dict(_amounts(each or "")) for each in amounts)
    parts = [
        f"{resource} {amount} requested, {used.get(resource, '?')} of {limited.get(resource, '?')} used"
        for resource, amount in requested.items()
    ]
    why = f": {'; '.join(parts)}" if parts else ""
    return Cause(Reason.QUOTA_EXCEEDED, f"the ResourceQuota {name} of the namespace forbids it{why}")


def _unspecified(found: re.Match[str], _: str) -> Cause:
    return Cause(
        Reason.QUOTA_EXCEEDED, f"the ResourceQuota {found[1]} of the namespace forbids it: {found[2]}"
    )


def _amounts(listed: str) -> list[tuple[str, str]]:
    pairs = (each.partition("=") for each in listed.split(","))
    return [(key.strip(), value.strip()) for key, equals, value in pairs if equals]


def _webhook(found: re.Match[str], _: str) -> Cause:
    why = found[2].strip() or "it does not say why"
    return Cause(Reason.WEBHOOK_DENIED, f"the admission webhook {found[1]} denied it: {why}")


def _unreachable(found: re.Match[str], _: str) -> Cause:
    return Cause(
        Reason.WEBHOOK_UNREACHABLE,
        f"the admission webhook {found[1]} must agree and does not answer: {found[2]}",
    )


def _policy(found: re.Match[str], _: str) -> Cause:
    return Cause(Reason.POLICY_DENIED, f"the ValidatingAdmissionPolicy {found[1]} denied it: {found[2]}")


def _security(found: re.Match[str], _: str) -> Cause:
    return Cause(Reason.POD_SECURITY, f"the namespace enforces PodSecurity {found[1]}: {found[2]}")


def _account(found: re.Match[str], _: str) -> Cause:
    return Cause(
        Reason.SERVICE_ACCOUNT_NOT_FOUND, f"the ServiceAccount {found[1]} does not exist in the namespace"
    )


def _limits(_: re.Match[str], told: str) -> Cause:
    return Cause(Reason.LIMIT_RANGE, f"a LimitRange of the namespace forbids it: {told.strip('[]')}")


_FORMS = (
    (_QUOTA, _quota),
    (_UNSPECIFIED, _unspecified),
    (_WEBHOOK, _webhook),
    (_UNREACHABLE, _unreachable),
    (_POLICY, _policy),
    (_SECURITY, _security),
    (_ACCOUNT, _account),
    (_LIMITS, _limits),
)
