"""Owns the signer's log lines: one JSON object a line on standard error.

Must never import structlog, which takes longer to import than this process may take to start; the
keys of a line are the same as in the other processes.
"""

import json
import logging
import sys
from datetime import UTC, datetime

LOGGER = logging.getLogger("signer")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure() -> None:
    """Send this process's lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


def info(event: str, **fields: object) -> None:
    """Log something that an operator may want to know."""
    LOGGER.info(event, extra={"fields": fields})


def warning(event: str, **fields: object) -> None:
    """Log something that an operator should look at."""
    LOGGER.warning(event, extra={"fields": fields})
