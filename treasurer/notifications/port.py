"""Owns what notifications ask of approvals. Must never import them: approvals stand above."""

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import ApprovalRequestId, OrganizationId, UserId


class IssueLink(Protocol):
    """Makes the token of a link by which one approver can answer one request."""

    async def __call__(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        request_id: ApprovalRequestId,
        user_id: UserId,
    ) -> str:
        """A secret: it goes into the mail and nowhere else."""
