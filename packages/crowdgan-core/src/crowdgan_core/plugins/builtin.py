"""The hook implementations of crowdgan-core: the same hooks that every plugin uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crowdgan_core.datasets.protocols import DatasetFormat
from crowdgan_core.hookspecs import CommandSpec, hookimpl
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.base import SceneSource


@hookimpl
def crowdgan_register_scene_sources() -> Sequence[SceneSource]:
    """CrowdHuman, datasets, the sources of the official dataset tool, folders and ZIP files of images."""
    from crowdgan_core.sources.cifar10 import Cifar10Source
    from crowdgan_core.sources.crowdhuman import CrowdHumanSource
    from crowdgan_core.sources.dataset import DatasetSource
    from crowdgan_core.sources.folder import FolderSource, ZipSource
    from crowdgan_core.sources.lsun import LsunSource
    from crowdgan_core.sources.mnist import MnistSource

    labelled: list[SceneSource] = [DatasetSource(_installed_formats), Cifar10Source(), MnistSource(), LsunSource()]
    return [CrowdHumanSource(), *labelled, FolderSource(), ZipSource()]


@hookimpl
def crowdgan_register_dataset_formats() -> Sequence[DatasetFormat]:
    """ZIP, folder and HDF5."""
    from crowdgan_core.datasets.hdf5 import Hdf5Format
    from crowdgan_core.datasets.zip_folder import FolderFormat, ZipFormat

    return [ZipFormat(), FolderFormat(), Hdf5Format()]


@hookimpl
def crowdgan_register_commands() -> Sequence[CommandSpec]:
    """The top-level commands."""
    from crowdgan_core.cli import convert, density, generate, inspect, label, plugins, sweep, synth

    modules = (synth, label, convert, inspect, generate, sweep, density, plugins)
    return [CommandSpec("", module.command) for module in modules]


def _installed_formats() -> Iterable[DatasetFormat]:
    """All dataset formats; called after loading, when those of other plugins are registered too."""
    return installed_plugins().dataset_formats.values()
