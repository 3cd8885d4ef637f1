"""Owns how a document arrives: as the body itself or as the one file of a form. Must never read it."""

from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import UploadFile

from treasurer.identity.idempotency import IdempotencyClaim, claim_for
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.organization import Principal

FILE_FIELD = "file"

REQUEST_BODY = {
    "requestBody": {
        "required": True,
        "description": "The invoice itself: text, JSON, a UBL 2.1 invoice or a PDF with a text "
        f"layer, at most 10 MB; or a form with it in the field `{FILE_FIELD}`.",
        "content": {
            **{
                media_type: {"schema": {"type": "string", "format": "binary"}}
                for media_type in ("application/pdf", "application/xml", "text/plain")
            },
            "application/json": {"schema": {"type": "object"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FILE_FIELD],
                    "properties": {FILE_FIELD: {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}
"""For OpenAPI: the framework cannot see a body that is read as it comes."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A document as its sender described it; nothing of that is believed."""

    content: bytes
    filename: str | None
    media_type: str | None


async def upload_of(request: Request, filename: str | None) -> Upload:
    """The document of a request. `filename` is for a bare body; a form's file brings its own.

    Raises InvalidInput FILE_MISSING for a form without exactly that one file.
    """
    content_type = request.headers.get("content-type")
    if not (content_type or "").lower().startswith("multipart/form-data"):
        return Upload(await request.body(), filename, content_type)
    async with request.form(max_files=1, max_fields=0) as form:
        file = form.get(FILE_FIELD)
        if not isinstance(file, UploadFile):
            raise InvalidInput("FILE_MISSING", f"send the document in the form's file {FILE_FIELD}")
        return Upload(await file.read(), file.filename, file.content_type)


def claim_of(
    principal: Principal, route: str, key: str | None, upload: Upload
) -> IdempotencyClaim | None:
    """The claim of a request that carries an Idempotency-Key. A form and a bare body are one."""
    if key is None:
        return None
    return claim_for(
        principal,
        route=route,
        key=key,
        fields={"filename": upload.filename, "media_type": upload.media_type},
        blobs=[upload.content],
    )
