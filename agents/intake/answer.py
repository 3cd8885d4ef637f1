"""Owns the one shape in which a reader model may answer. Must never have a place for an instruction."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Printed = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)]


class ModelAnswer(BaseModel):
    """Values as printed in the document; null where it prints none. Anything else is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    seller: Printed | None = None
    seller_vat_id: Printed | None = None
    invoice_number: Printed | None = None
    issue_date: Printed | None = None
    due_date: Printed | None = None
    currency: Printed | None = None
    payable_amount: Printed | None = None
    iban: Printed | None = None
    pay_to_address: Printed | None = None

    def values(self) -> dict[str, str]:
        """The values that were given, by field, in the order of the fields."""
        given = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: value for name, value in given if value}
