"""Options that `label` and `convert` share, read into one object."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import click

from crowdgan_core.errors import ConfigError
from crowdgan_core.formats import format_for
from crowdgan_core.labelling import LabelSettings
from crowdgan_core.parallel import usable_cores
from crowdgan_core.plugins import Plugins
from crowdgan_core.sources import OpenSource, source_for
from crowdgan_core.transform import TRANSFORMS, Transform, TransformName

OnTrouble = Literal["fail", "skip"]

EXISTING = click.Path(path_type=Path)
"""A path; whether it exists is checked where the message can say more."""


class Resolution(click.ParamType[tuple[int, int]]):
    """WIDTHxHEIGHT as text, `(height, width)` as a value."""

    name = "WIDTHxHEIGHT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """The size that the text names."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", value)
        if match is None or min(map(int, match.groups())) < 1:
            self.fail(f"{value} is no size; write width and height in pixels as in 256x256", param, ctx)
        return int(match[2]), int(match[1])


@dataclass(frozen=True, kw_only=True)
class PipelineOptions:
    """The options of `pipeline_options`, as the command line gives them."""

    source: tuple[Path, ...]
    source_kind: str | None
    annotations: tuple[Path, ...]
    dest: Path
    resolution: tuple[int, int] | None
    transform: TransformName
    on_error: OnTrouble
    workers: int
    max_images: int | None
    overwrite: bool
    fast_decode: bool

    def open_source(self, plugins: Plugins) -> tuple[OpenSource, str]:
        """The indexed source, and what the metadata says of it."""
        if len(self.annotations) > 1:
            raise ConfigError(f"--annotations is given {len(self.annotations)} times; label one set after the other")
        annotations = self.annotations[0] if self.annotations else None
        kind = source_for(self.source, annotations, self.source_kind, plugins.scene_sources)
        names = ", ".join(path.resolve().name for path in self.source)
        return kind.open(self.source, annotations), f"{kind.name}: {names}"

    def label_settings(self, plugins: Plugins) -> LabelSettings:
        """The settings of the pipeline, without an estimator; the destination's name chooses its format.

        Raises:
            ConfigError: no format has such a name, or the destination would replace what is read.
        """
        for path in (*self.source, *self.annotations):
            if path.resolve().is_relative_to(self.dest.resolve()):
                raise ConfigError(f"--dest {self.dest}: it would replace {path}, which is read; choose another")
        return LabelSettings(
            dest=self.dest,
            format=format_for(self.dest, plugins.dataset_formats.values()),
            transform=Transform(name=self.transform, size=self.resolution),
            on_error=self.on_error,
            workers=self.workers or usable_cores(),
            max_images=self.max_images,
            overwrite=self.overwrite,
            fast_decode=self.fast_decode,
        )


def pipeline_options(
    transform: TransformName, resolution: str | None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds the shared options, with these defaults, and hands them to the command as one object."""
    options = _options(transform, resolution)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def gathered(**given: Any) -> None:
            shared = PipelineOptions(**{item.name: given.pop(item.name) for item in fields(PipelineOptions)})
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


def _options(transform: TransformName, resolution: str | None) -> list[Callable[[Any], Any]]:
    shown = resolution or "the size of the pictures"
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
            help="Annotation file, where it lies apart from the pictures.",
        ),
        click.option("--dest", type=EXISTING, required=True, help="Dataset to write: NAME.zip, NAME.h5, or a folder."),
        click.option(
            "--resolution",
            type=Resolution(),
            metavar=Resolution.name,
            default=resolution,
            help=f"Size of the pictures.  [default: {shown}]",
        ),
        click.option(
            "--transform",
            type=click.Choice(TRANSFORMS),
            default=transform,
            show_default=True,
            help="How pictures are cropped before they are resized.",
        ),
        click.option(
            "--on-error",
            type=click.Choice(["fail", "skip"]),
            default="fail",
            show_default=True,
            help="What to do with damaged pictures and annotations, and where one of the two is missing.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=0),
            default=0,
            help="Processes that share the work.  [default: one per core]",
        ),
        click.option("--max-images", type=click.IntRange(min=1), help="Read at most this many pictures."),
        click.option("--overwrite", is_flag=True, help="Replace the destination if it exists."),
        click.option(
            "--fast-decode", is_flag=True, help="Decode large JPEGs at a reduced size: faster, pixels differ slightly."
        ),
    ]
