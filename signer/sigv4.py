"""Owns AWS Signature Version 4, as one service needs it. Must never log or return a secret.

By hand, because the library that has it takes longer to import than this process may take to start.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks. The secrets stand in no representation of it."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def signed_headers(
    credentials: Credentials,
    *,
    method: str,
    headers: Mapping[str, str],
    body: bytes,
    region: str,
    service: str,
    now: datetime,
) -> dict[str, str]:
    """`headers` (lower-case names, with `host`) and those that prove the caller, for the path `/`."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    covered = {**headers, "x-amz-date": stamp}
    if credentials.session_token is not None:
        covered["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(covered))
    request = "\n".join(
        (
            method,
            "/",
            "",
            *(f"{name}:{covered[name].strip()}" for name in sorted(covered)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    statement = "\n".join(
        (_ALGORITHM, stamp, scope, hashlib.sha256(request.encode("utf-8")).hexdigest())
    )
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in (stamp[:8], region, service, "aws4_request"):
        key = hmac.digest(key, part.encode("utf-8"), "sha256")
    signature = hmac.digest(key, statement.encode("utf-8"), "sha256").hex()
    return {
        **covered,
        "authorization": f"{_ALGORITHM} Credential={credentials.access_key_id}/{scope},"
        f" SignedHeaders={names}, Signature={signature}",
    }
