"""Owns the types of identifiers. Must never make one: a source of uuid7 values is passed in.

uuid7 keys are ordered by creation, so inserts land at one end of an index whatever the table's size.
"""

from collections.abc import Callable
from typing import NewType
from uuid import UUID

OrganizationId = NewType("OrganizationId", UUID)
UserId = NewType("UserId", UUID)
PayeeId = NewType("PayeeId", UUID)
PayeeAddressId = NewType("PayeeAddressId", UUID)
InvoiceId = NewType("InvoiceId", UUID)
PaymentId = NewType("PaymentId", UUID)
DecisionId = NewType("DecisionId", UUID)
PolicySetId = NewType("PolicySetId", UUID)
ApprovalRequestId = NewType("ApprovalRequestId", UUID)
WalletId = NewType("WalletId", UUID)
TransferId = NewType("TransferId", UUID)
HoldId = NewType("HoldId", UUID)
AccountId = NewType("AccountId", UUID)
JournalEntryId = NewType("JournalEntryId", UUID)
AllowanceId = NewType("AllowanceId", UUID)
TopUpId = NewType("TopUpId", UUID)

NewId = Callable[[], UUID]
"""Returns a fresh uuid7."""
