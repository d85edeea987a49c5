"""The Python API: functions that use the installed plugins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from crowdgan_core.datasets import format_lookup
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.models import loading
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.card import ModelCard
from crowdgan_core.plugins.discovery import installed_plugins


def open_dataset(path: Path) -> DatasetReader:
    """A reader of a dataset in any of the installed formats.

    Raises:
        ConfigError: no format matches the path, or several do.
        DatasetError: there is no such dataset, or it is damaged.
    """
    return format_lookup.open_dataset(path, installed_plugins().dataset_formats.values())


def load_generator(
    path: Path, device: str = "auto", *, check: Callable[[ModelCard], object] | None = None
) -> ImageGenerator:
    """The generator in a model file, loaded by the installed backend that the model card names.

    Args:
        path: the model file.
        device: `auto`, `cpu` or `cuda`.
        check: called with the model card before the weights are read; raises to refuse the model.

    Raises:
        CheckpointError: no such file, not a model, a damaged file, or a backend that is not installed.
        ConfigError: the device is not available.
    """
    return loading.load_generator(path, installed_plugins().model_backends, device, check=check)
