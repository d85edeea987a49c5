"""Lookup of the dataset format by path."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from crowdgan_core.datasets.checked_reader import KIND, open_checked
from crowdgan_core.datasets.protocols import DatasetFormat, DatasetReader, SequentialFormat
from crowdgan_core.datasets.shards.format import ShardsFormat
from crowdgan_core.datasets.zip_folder import FolderFormat
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.utils.plugin_calls import plugin_call


def format_for(path: Path, formats: Iterable[DatasetFormat]) -> DatasetFormat:
    """The dataset format that matches `path`; `folder` is the format of the folders that no other format matches.

    Raises:
        ConfigError: no format or more than one format matches.
        PluginError: an exception in the code of a format.
    """
    candidates = list(formats)
    matching = [item for item in candidates if _matches(item, path)]
    matching = [item for item in matching if not is_fallback(item)] or matching
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise ConfigError(f"{path}: several dataset formats match: {', '.join(item.name for item in matching)}")
    choices = "; ".join(f"{item.name}: {item.suffixes}" for item in candidates)
    raise ConfigError(f"{path}: no dataset format matches; choose from {choices}")


def _matches(dataset_format: DatasetFormat, path: Path) -> bool:
    with plugin_call(KIND, dataset_format, f"matches: {path}"):
        return dataset_format.matches(path)


def is_fallback(dataset_format: DatasetFormat) -> bool:
    """Whether the format is `folder`, which reads the folders that no other format matches."""
    return dataset_format.name == FolderFormat.name


def is_writable(dataset_format: DatasetFormat) -> bool:
    """Whether `crowdgan label` and `crowdgan convert` write datasets of a format."""
    return isinstance(dataset_format, (SequentialFormat, ShardsFormat))


def open_dataset(path: Path, formats: Iterable[DatasetFormat]) -> DatasetReader:
    """Opens the dataset at `path` in the format that matches the path; the reader checks what the format returns.

    Raises:
        ConfigError: no format or more than one format matches.
        DatasetError: the dataset does not exist or is damaged.
        PluginError: another exception in the format's code, or a result that is not a dataset reader.
    """
    if not path.exists():
        raise DatasetError(f"{path}: no such file or folder")
    return open_checked(format_for(path, formats), path)
