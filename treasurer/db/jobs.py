"""Owns how work is put on the queue. Must never defer outside the transaction that it follows from.

Calls the queue's own database function: its Python side takes longer for each job than the database
does, and `migrations/` grants the app role that function and nothing else of the queue.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson
from sqlalchemy import text

from treasurer.db.pipeline import Executes

_DEFER = text("""
    SELECT cardinality(procrastinate_defer_jobs_v1(ARRAY(
        SELECT ROW('default', CAST(:name AS text), 0, NULL, NULL, args,
                   CAST(:schedule_at AS timestamptz))::procrastinate_job_to_defer_v1
        FROM unnest(CAST(:arguments AS jsonb[])) AS a (args))))
""")

JobArgument = str | int | bool | Sequence[str] | None


class JobQueue:
    """Defers jobs by name in the caller's transaction: a rollback takes the job with it."""

    async def defer(
        self,
        connection: Executes,
        name: str,
        *,
        schedule_at: datetime | None = None,
        **arguments: JobArgument,
    ) -> None:
        """Put the task `name` on the queue, to run at `schedule_at` or as soon as possible."""
        await self._put(connection, name, [arguments], schedule_at)

    async def defer_many(
        self,
        connection: Executes,
        name: str,
        arguments: Sequence[Mapping[str, JobArgument]],
    ) -> None:
        """Put the task `name` on the queue once for each of `arguments`, in one round trip."""
        if arguments:
            await self._put(connection, name, arguments, None)

    async def _put(
        self,
        connection: Executes,
        name: str,
        arguments: Sequence[Mapping[str, JobArgument]],
        schedule_at: datetime | None,
    ) -> None:
        await connection.execute(
            _DEFER,
            {
                "name": name,
                "schedule_at": schedule_at,
                "arguments": [orjson.dumps(each).decode() for each in arguments],
            },
        )
