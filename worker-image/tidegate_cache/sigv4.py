"""Signature Version 4 of AWS for requests without a body.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials, and the region that they are used in."""

    access: str
    secret: str
    token: str
    region: str


def signed(url: str, keys: Keys, now: float, method: str = "GET") -> dict[str, str]:
    """The headers that a request to ``url`` needs at ``now``, Unix time. The path is quoted already."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    parts = urlsplit(url)
    headers = {"host": parts.netloc.rpartition("@")[2], "x-amz-content-sha256": EMPTY, "x-amz-date": stamp}
    if keys.token:
        headers["x-amz-security-token"] = keys.token
    names = ";".join(sorted(headers))
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    canonical = "\n".join([method, parts.path or "/", _query(parts.query), *lines, "", names, EMPTY])
    scope = f"{stamp[:8]}/{keys.region}/s3/aws4_request"
    text = "\n".join([ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signature = hmac.new(_key(keys, stamp[:8]), text.encode(), hashlib.sha256).hexdigest()
    credential = f"{ALGORITHM} Credential={keys.access}/{scope}, SignedHeaders={names}, Signature={signature}"
    sent = {name: value for name, value in headers.items() if name != "host"}
    return {**sent, "authorization": credential}


def _query(query: str) -> str:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)


def _key(keys: Keys, day: str) -> bytes:
    key = f"AWS4{keys.secret}".encode()
    for part in (day, keys.region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def keys_of(environment: Mapping[str, str]) -> Keys | None:
    """The credentials of an environment; None: there are none, and requests are not signed."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    access, secret, token = (environment.get(name, "").strip() for name in names)
    return Keys(access, secret, token, region_of(environment)) if access and secret else None


def region_of(environment: Mapping[str, str]) -> str:
    """The region that is named, otherwise the one that other stores than AWS take for theirs."""
    named = (environment.get(name, "").strip() for name in ("AWS_REGION", "AWS_DEFAULT_REGION"))
    return next(filter(None, named), "us-east-1")
