"""Names of files in folders, archives and annotations: equality, and files that are not data."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

SYSTEM_NAMES = frozenset({".ds_store", "__macosx", "thumbs.db", "desktop.ini", "@eadir"})
"""Files and folders that macOS, Windows and Synology servers add to folders and archives, in lower case."""

APPLE_DOUBLE_PREFIX = "._"
"""Prefix of AppleDouble files, in which macOS stores the attributes of the file with the rest of the name."""


def canonical_name(name: str) -> str:
    """The form in which names are compared: two names are the same if their canonical names are equal.

    It has forward slashes, no `.` or empty components, and the Unicode normal form NFC. macOS stores names in NFD,
    and Windows programs write backslashes.
    """
    name = name.replace("\\", "/")
    if "./" in name or "//" in name or name.endswith(("/", "/.")):
        name = str(PurePosixPath(name))
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def natural_key(name: str) -> tuple[tuple[str | int, ...], str]:
    """Key that sorts names with numbers by the values of the numbers: `frame 9` before `frame 10`.

    Texts and numbers alternate, starting with a text, so that keys can be compared. Upper and lower case differ only
    between names that are otherwise equal.
    """
    parts = re.split(r"([0-9]+)", canonical_name(name).casefold())
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts)), name


def is_system_file(name: str) -> bool:
    """Whether the last component of a name is a file or folder that an operating system adds, such as `.DS_Store`."""
    last = name.rpartition("/")[2]
    return last.startswith(APPLE_DOUBLE_PREFIX) or last.lower() in SYSTEM_NAMES


def is_ignored(name: str) -> bool:
    """Whether a component of a name is hidden or a system file; sources and datasets ignore such files."""
    return any(part.startswith(".") or is_system_file(part) for part in name.replace("\\", "/").split("/"))
