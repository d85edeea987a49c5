"""Options that commands share, read into one object: those that read a source, and those of the pipeline."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from crowdgan_core.cli.common.param_types import EXISTING, Resolution
from crowdgan_core.datasets.format_lookup import format_for
from crowdgan_core.errors import ConfigError
from crowdgan_core.pipeline.build import BuildConfig
from crowdgan_core.pipeline.reading import ErrorPolicy, ReadConfig
from crowdgan_core.plugins.registry import PluginRegistry
from crowdgan_core.scenes.transform import TRANSFORMS, ImageTransform, TransformName
from crowdgan_core.sources.base import SourceReader
from crowdgan_core.sources.detection import find_source
from crowdgan_core.utils.parallel import available_cpus


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """The options of `source_options`, as the command line gives them."""

    source: tuple[Path, ...]
    source_kind: str | None
    annotations: tuple[Path, ...]
    on_error: ErrorPolicy
    workers: int
    max_images: int | None

    def open_source(self, plugins: PluginRegistry) -> tuple[SourceReader, str]:
        """The indexed source, and what the metadata says of it."""
        if len(self.annotations) > 1:
            raise ConfigError(f"--annotations is given {len(self.annotations)} times; label one set after the other")
        annotations = self.annotations[0] if self.annotations else None
        kind = find_source(self.source, annotations, self.source_kind, plugins.scene_sources)
        names = ", ".join(path.resolve().name for path in self.source)
        return kind.open(self.source, annotations), f"{kind.name}: {names}"

    def read_settings(self) -> ReadConfig:
        """How the scenes are read."""
        return ReadConfig(on_error=self.on_error, workers=self.workers or available_cpus(), max_images=self.max_images)


@dataclass(frozen=True, kw_only=True)
class PipelineOptions(SourceOptions):
    """The options of `pipeline_options`, as the command line gives them."""

    dest: Path
    resolution: tuple[int, int] | None
    transform: TransformName
    overwrite: bool
    fast_decode: bool

    def label_settings(self, plugins: PluginRegistry) -> BuildConfig:
        """The settings of the pipeline, without an estimator; the destination's name chooses its format.

        Raises:
            ConfigError: no format has such a name, or the destination would replace what is read.
        """
        for path in (*self.source, *self.annotations):
            if path.resolve().is_relative_to(self.dest.resolve()):
                raise ConfigError(f"--dest {self.dest}: it would replace {path}, which is read; choose another")
        return BuildConfig(
            dest=self.dest,
            format=format_for(self.dest, plugins.dataset_formats.values()),
            transform=ImageTransform(name=self.transform, size=self.resolution),
            on_error=self.on_error,
            workers=self.workers or available_cpus(),
            max_images=self.max_images,
            overwrite=self.overwrite,
            fast_decode=self.fast_decode,
        )


Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def source_options() -> Decorator:
    """Adds the options that read a source, and hands them to the command as `SourceOptions`."""
    return _gathered([*_reading_options(), *_running_options()], SourceOptions)


def pipeline_options(transform: TransformName, resolution: str | None) -> Decorator:
    """Adds the options of the pipeline, with these defaults, and hands them to the command as `PipelineOptions`."""
    making, writing = _making_options(transform, resolution), _writing_options()
    return _gathered([*_reading_options(), *making, *_running_options(), *writing], PipelineOptions)


def _gathered(options: Sequence[Callable[[Any], Any]], kind: type[SourceOptions]) -> Decorator:
    """Adds click options, and hands them to the command as one object of the kind that has a field for each."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def gathered(**given: Any) -> None:
            shared = kind(**{item.name: given.pop(item.name) for item in fields(kind)})
            command(shared, **given)

        wrapped: Callable[..., None] = gathered
        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return decorate


def parse_settings(pairs: Sequence[str]) -> dict[str, str]:
    """`name=value` texts as a mapping.

    Raises:
        ConfigError: a text without `=`.
    """
    for pair in pairs:
        if "=" not in pair:
            raise ConfigError(f"--set {pair}: write it as --set name=value")
    split = (pair.split("=", 1) for pair in pairs)
    return {name.strip(): value.strip() for name, value in split}


def _reading_options() -> list[Callable[[Any], Any]]:
    return [
        click.option(
            "--source",
            type=EXISTING,
            multiple=True,
            required=True,
            help="Folder, zip or file to read; repeat it for several. What it is, is recognised.",
        ),
        click.option("--source-kind", metavar="NAME", help="Kind of source, where it is not recognised."),
        click.option(
            "--annotations",
            type=EXISTING,
            multiple=True,
            help="Annotation file, where it lies apart from the images.",
        ),
    ]


def _making_options(transform: TransformName, resolution: str | None) -> list[Callable[[Any], Any]]:
    shown = resolution or "the size of the images"
    return [
        click.option("--dest", type=EXISTING, required=True, help="Dataset to write: NAME.zip, NAME.h5, or a folder."),
        click.option(
            "--resolution",
            type=Resolution(),
            metavar=Resolution.name,
            default=resolution,
            help=f"Size of the images.  [default: {shown}]",
        ),
        click.option(
            "--transform",
            type=click.Choice(TRANSFORMS),
            default=transform,
            show_default=True,
            help="How images are cropped before they are resized.",
        ),
    ]


def _running_options() -> list[Callable[[Any], Any]]:
    return [
        click.option(
            "--on-error",
            type=click.Choice(["fail", "skip"]),
            default="fail",
            show_default=True,
            help="What to do with damaged images and annotations, and where one of the two is missing.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=0),
            default=0,
            help="Processes that share the work.  [default: one per core]",
        ),
        click.option("--max-images", type=click.IntRange(min=1), help="Read at most this many images."),
    ]


def _writing_options() -> list[Callable[[Any], Any]]:
    return [
        click.option("--overwrite", is_flag=True, help="Replace the destination if it exists."),
        click.option(
            "--fast-decode", is_flag=True, help="Decode large JPEGs at a reduced size: faster, pixels differ slightly."
        ),
    ]
