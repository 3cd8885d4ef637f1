"""Owns how work is put on the queue. Must never defer outside the transaction that it follows from."""

from datetime import datetime

from procrastinate import App
from sqlalchemy.ext.asyncio import AsyncConnection

JobArgument = str | int | bool | None


class JobQueue:
    """Defers jobs by name in the caller's transaction: a rollback takes the job with it."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def defer(
        self,
        connection: AsyncConnection,
        name: str,
        *,
        queueing_lock: str | None = None,
        schedule_at: datetime | None = None,
        **arguments: JobArgument,
    ) -> None:
        """Put the task `name` on the queue. With `queueing_lock`, at most one may wait."""
        raw = (await connection.get_raw_connection()).driver_connection
        task = self._app.configure_task(
            name, queueing_lock=queueing_lock, schedule_at=schedule_at, connection=raw
        )
        await task.defer_async(**arguments)
