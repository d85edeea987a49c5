"""Where figures go: files of a known kind, checked before any work."""

from __future__ import annotations

from pathlib import Path

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import check_overwrite

FORMATS = ("png", "svg", "pdf")
"""Kinds of files that figures are written as, by the ends of their names."""


def checked_output(path: Path, *, overwrite: bool, option: str = "--out") -> str:
    """The kind of a file that a figure is to be written to: png, svg or pdf.

    Raises:
        ConfigError: the name ends in something else.
        DatasetError: the file exists and is not to be replaced.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        allowed = ", ".join(f".{item}" for item in FORMATS)
        raise ConfigError(f"{option} {path}: its name must end in one of {allowed}")
    check_overwrite(path, overwrite=overwrite)
    return kind
