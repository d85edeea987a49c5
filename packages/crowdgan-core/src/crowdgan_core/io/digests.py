"""Digests of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

BLOCK_BYTES = 2**20
"""Bytes read at a time."""


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
