"""Owns what makes a posted form ours: its origin and its token. Must never act on a form without both.

The token is a MAC of the session's secret: another site cannot know it, and no store is needed. A
new session has another token, so a form that was left open over a sign-out is refused (OWASP: HMAC
based token pattern).
"""

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile

from dashboard.session import Visitor
from treasurer.identity.browser import SESSION_COOKIE, is_same_origin
from treasurer.kernel.errors import InvalidInput, NotPermitted

TOKEN_FIELD = "form_token"  # noqa: S105 - the field's name
_MOST_FIELDS = 40
_MOST_FIELD_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class PostedForm:
    """The fields of a form that came from our own page."""

    fields: FormData

    def text(self, name: str) -> str:
        """A field's text; empty when it was not sent or is a file."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """All texts sent under one name, such as ticked boxes."""
        return [value for value in self.fields.getlist(name) if isinstance(value, str)]

    def file(self, name: str) -> UploadFile:
        """The chosen file. Raises InvalidInput FILE_MISSING."""
        value = self.fields.get(name)
        if not isinstance(value, UploadFile) or not value.filename:
            raise InvalidInput("FILE_MISSING", "choose a file first")
        return value


def token_of(visitor: Visitor) -> str:
    """The token that this visitor's forms carry."""
    return _token(visitor.cookie)


async def checked_form(request: Request) -> PostedForm:
    """A form of a signed-in visitor. Raises NotPermitted CSRF_ORIGIN or CSRF_TOKEN."""
    form = await own_form(request)
    expected = _token(request.cookies.get(SESSION_COOKIE, ""))
    if not hmac.compare_digest(form.text(TOKEN_FIELD).encode(), expected.encode()):
        raise NotPermitted(
            "CSRF_TOKEN", "this form is not of your present session; open the page again"
        )
    return form


async def own_form(request: Request) -> PostedForm:
    """A form of somebody who has no session yet: signing in.

    Raises NotPermitted CSRF_ORIGIN, InvalidInput FIELD_ZERO_BYTE.
    """
    if not is_same_origin(request.headers.get("origin"), request.headers.get("host")):
        raise NotPermitted("CSRF_ORIGIN", "this form did not come from our own page")
    fields = await request.form(
        max_files=1, max_fields=_MOST_FIELDS, max_part_size=_MOST_FIELD_BYTES
    )
    if any(
        "\0" in name or (isinstance(value, str) and "\0" in value)
        for name, value in fields.multi_items()
    ):
        raise InvalidInput("FIELD_ZERO_BYTE", "a text holds no zero byte; write it anew")
    return PostedForm(fields)


CheckedForm = Annotated[PostedForm, Depends(checked_form)]
OwnForm = Annotated[PostedForm, Depends(own_form)]


def _token(cookie: str) -> str:
    return hmac.new(cookie.encode(), b"dashboard form", sha256).hexdigest()
