"""The hook implementations of crowdgan-core: the same hooks that every plugin uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from crowdgan_core.hookspecs import CommandSpec, hookimpl
from crowdgan_core.plugins.discovery import installed_plugins

if TYPE_CHECKING:
    from crowdgan_core.datasets.protocols import DatasetFormat
    from crowdgan_core.metrics.metric import Metric
    from crowdgan_core.sources.base import SceneSource


@hookimpl
def crowdgan_register_scene_sources() -> Sequence[SceneSource]:
    """Annotated images, datasets, the sources of the official dataset tool, folders and ZIP files of images."""
    from crowdgan_core.sources.cifar10 import Cifar10Source
    from crowdgan_core.sources.coco import CocoSource
    from crowdgan_core.sources.crowdhuman import CrowdHumanSource
    from crowdgan_core.sources.dataset import DatasetSource
    from crowdgan_core.sources.folder import FolderSource, ZipSource
    from crowdgan_core.sources.lsun import LsunSource
    from crowdgan_core.sources.mnist import MnistSource
    from crowdgan_core.sources.mot import MotSource
    from crowdgan_core.sources.table import TableSource

    labelled: list[SceneSource] = [DatasetSource(_installed_formats), Cifar10Source(), MnistSource(), LsunSource()]
    annotated: list[SceneSource] = [CrowdHumanSource(), TableSource(), CocoSource(), MotSource()]
    return [*annotated, *labelled, FolderSource(), ZipSource()]


@hookimpl
def crowdgan_register_dataset_formats() -> Sequence[DatasetFormat]:
    """ZIP, folder, HDF5 and shards."""
    from crowdgan_core.datasets.hdf5 import Hdf5Format
    from crowdgan_core.datasets.shards.format import ShardsFormat
    from crowdgan_core.datasets.zip_folder import FolderFormat, ZipFormat

    return [ZipFormat(), FolderFormat(), Hdf5Format(), ShardsFormat()]


@hookimpl
def crowdgan_register_commands() -> Sequence[CommandSpec]:
    """The top-level commands."""
    from crowdgan_core.cli.common.lazy_command import LazyCommand
    from crowdgan_core.cli.density import command as density
    from crowdgan_core.cli.metrics import command as metrics

    commands = [
        LazyCommand("synth", "Render synthetic crowds with ground truth", "crowdgan_core.cli.synth:command"),
        LazyCommand("label", "Estimate densities and write a labelled dataset", "crowdgan_core.cli.label:command"),
        LazyCommand("convert", "Convert images to a training dataset", "crowdgan_core.cli.convert:command"),
        LazyCommand("inspect", "Summarise a dataset or model file", "crowdgan_core.cli.inspect:command"),
        LazyCommand("generate", "Generate images with a trained model", "crowdgan_core.cli.generate:command"),
        LazyCommand("project", "Find the latents of given images", "crowdgan_core.cli.project:command"),
        LazyCommand("edit", "Change the density of an image", "crowdgan_core.cli.edit:command"),
        LazyCommand("sweep", "Generate one seed at increasing density", "crowdgan_core.cli.sweep:command"),
        LazyCommand("mix", "Mix the layers of two sets of seeds", "crowdgan_core.cli.mix:command"),
        density,
        metrics,
        LazyCommand("plugins", "List installed plugins, or create one", "crowdgan_core.cli.plugins:command"),
    ]
    return [CommandSpec("", command) for command in commands]


@hookimpl
def crowdgan_register_metrics() -> Sequence[Metric]:
    """Distances between features of every installed extractor, and the official metrics that compare images."""
    from crowdgan_core.metrics.feature_metrics import extractor_metrics, official_metrics

    return [*extractor_metrics(installed_plugins().feature_extractors), *official_metrics()]


def _installed_formats() -> Iterable[DatasetFormat]:
    """All dataset formats; called after loading, when those of other plugins are registered too."""
    return installed_plugins().dataset_formats.values()
