"""Datasets on disk: which installed format reads one."""

from __future__ import annotations

from pathlib import Path

from crowdgan_core.dataset import DatasetFormat, DatasetReader
from crowdgan_core.errors import DatasetError
from crowdgan_core.formats import format_for


def open_dataset(path: Path) -> DatasetReader:
    """A reader for a dataset in any of the installed formats.

    Raises:
        ConfigError: no format has such a name.
        DatasetError: there is no such dataset, or it is damaged.
    """
    if not path.exists():
        raise DatasetError(f"{path}: there is no such file or folder")
    return format_of(path).open(path)


def format_of(path: Path) -> DatasetFormat:
    """The installed format whose datasets have paths like `path`.

    Raises:
        ConfigError: none has, or more than one.
    """
    from crowdgan_core.plugins import installed_plugins  # here, since loading plugins loads what calls this

    return format_for(path, installed_plugins().dataset_formats.values())
