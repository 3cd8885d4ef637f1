"""Owns organization.json: whose installation this folder is. Written last, when all is set up.

Must never hold a secret. Other organizations of the same database are reached by an e-mail address.
"""

import json
from dataclasses import dataclass

from treasurer.identity.model import User
from treasurer.kernel.errors import InvalidInput
from treasurer.settings import Settings

DEMONSTRATION = "Norwick Instruments Ltd"
"""The organization of `treasurer up --demo`, which lives in no folder of a real one."""


@dataclass(frozen=True, slots=True)
class OwnOrganization:
    """The organization of `treasurer init` or of the demonstration."""

    name: str
    administrator_email: str


def remember_organization(settings: Settings, name: str, administrator: User) -> None:
    """Write down that the set-up is complete."""
    path = settings.home.organization
    draft = path.with_suffix(".new")
    content = {
        "id": str(administrator.organization_id),
        "name": name,
        "administrator_email": administrator.email,
    }
    draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def own_organization(settings: Settings) -> OwnOrganization | None:
    """The organization that this folder was set up for; None before that."""
    try:
        content = json.loads(settings.home.organization.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return OwnOrganization(content["name"], content["administrator_email"])


def email_or_own(settings: Settings, email: str | None) -> str:
    """`email`, else the administrator's. Raises InvalidInput when there is neither."""
    if email is not None:
        return email
    own = own_organization(settings)
    if own is None:
        raise InvalidInput(
            "ORGANIZATION_UNNAMED",
            "say whose organization you mean: --user with the e-mail address of one of its people",
        )
    return own.administrator_email
