"""Owns the files that an invoice carries inside. Must never open one; what could run is refused."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from treasurer.documents.xml import Node

_KNOWN_TYPES = frozenset(
    {
        "application/pdf", "image/png", "image/jpeg", "text/csv", "application/xml", "text/xml",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.oasis.opendocument.spreadsheet",
    }
)  # fmt: skip
"""EN 16931 BR-CL-24, and XML as XRechnung allows it."""
_EXECUTABLE = frozenset(
    {
        ".exe", ".com", ".bat", ".cmd", ".scr", ".pif", ".msi", ".dll", ".js", ".jse", ".vbs", ".vbe",
        ".wsf", ".hta", ".ps1", ".jar", ".lnk", ".sh", ".app", ".cpl", ".reg", ".docm", ".xlsm",
    }
)  # fmt: skip
_PROGRAM_STARTS = ("TVqQ", "TVpQ", "TVro", "f0VMR", "IyEv", "WDVPIVAlQEFQ")
"""In base64: DOS and Windows programs, ELF, `#!/`, and the EICAR test that stands for any of them."""


def is_program(name: str) -> bool:
    """Whether a file of that name would run when opened."""
    return PurePosixPath(name.strip().lower()).suffix in _EXECUTABLE


def put_attachments(top: Node, embedded: Sequence[Node], path: str) -> None:
    """How many files are embedded. One that could run rejects the document; two of one name are
    reviewed, because whoever unpacks them sees only one (DE-R-022).
    """
    top.draft.put_xpath("attachments", len(embedded), path)
    names: set[str] = set()
    for node in embedded:
        name = node.element.get("filename", "").strip().lower()
        if name and name in names:
            top.draft.review(
                "ATTACHMENT_NAME_TWICE", f"{node.path} has the name of another attachment"
            )
        names.add(name)
        start = "".join((node.element.text or "")[:40].split())
        if is_program(name) or start.startswith(_PROGRAM_STARTS):
            top.draft.reject(
                "EXECUTABLE_ATTACHMENT", f"{node.path} is a program; ask for the invoice without it"
            )
        elif node.element.get("mimeCode", "").strip().lower() not in _KNOWN_TYPES:
            top.draft.note(
                "ATTACHMENT_TYPE", f"{node.path} has a type that EN 16931 does not know; not opened"
            )
