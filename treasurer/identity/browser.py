"""Owns what keeps a browser's session its own: the cookie's name and the same-origin rule.

Must never trust a request for its cookie alone: another site's page can make the browser send it.
"""

from urllib.parse import urlsplit

SESSION_COOKIE = "treasurer_session"
"""HttpOnly, SameSite=Lax, Path=/, and Secure wherever the site is served over TLS."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_same_origin(origin: str | None, host: str | None) -> bool:
    """Whether an unsafe request comes from our own pages (OWASP: verifying the origin).

    Browsers send `Origin` with every unsafe request; none at all is refused. Only host and port are
    compared: a proxy that ends TLS changes the scheme that we see.
    """
    if not origin or not host:
        return False
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:  # no address at all, such as http://[
        return False
