"""Owns the durable writing of small files. Must never leave half of one: old content or new."""

import os
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Make `path` hold `content`, mode 0600, durable when this returns."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make names made or replaced in `directory` durable: fsync of a file does not."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
