"""Pictures of the densities of a source's scenes, drawn by several processes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from crowdgan_core.atomic import files_into, refuse_existing
from crowdgan_core.density import Density, DensityEstimator
from crowdgan_core.errors import ConfigError, CrowdganError, DatasetError
from crowdgan_core.parallel import ordered_map
from crowdgan_core.pictures import SUFFIXES, upright_rgb
from crowdgan_core.picturework import Unusable, open_scene, whole_scene
from crowdgan_core.progress import NoProgress, Progress
from crowdgan_core.reading import ReadSettings, known_problems, refuse_unusable, refuse_without_annotations
from crowdgan_core.scene import Scene
from crowdgan_core.sources import Annotated, OpenSource
from crowdgan_core.spreading import evenly_spread
from crowdgan_plot.density import DPI, density_figure, measured
from crowdgan_plot.style import encoded, styled

UNSAFE = re.compile(r"[^\w.,-]+")
"""What file names are kept free of."""

SHOWN_NAMES = 3


@dataclass(frozen=True, kw_only=True)
class DensityPlotSettings(ReadSettings):
    """Which pictures are drawn, and how."""

    estimator: DensityEstimator
    """Not yet fitted."""

    outdir: Path
    """Folder for the figures, one file each."""

    kind: str = "png"
    """png, svg or pdf."""

    ids: tuple[str, ...] = ()
    """Names of the pictures, or how they begin; none for a sample."""

    sample: int = 12
    """Pictures of a sample, evenly spread over the source."""

    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class DrawnScene:
    """A figure that was written."""

    picture: str
    person_count: int
    density: Density
    path: Path


@dataclass(frozen=True)
class _Figure:
    scene: Scene
    density: Density
    data: bytes


def draw_scenes(
    source: OpenSource, source_name: str, settings: DensityPlotSettings, progress: Progress | None = None
) -> tuple[list[DrawnScene], dict[str, list[str]]]:
    """Draws whole photographs of a source; returns what was written, and what was left out by its reason.

    Raises:
        ConfigError: the source has no annotations of people, or no such picture.
        DatasetError: something cannot be read or written, or the source is empty.
    """
    refuse_without_annotations(source, source_name)
    skipped = known_problems(source, settings.on_error)
    progress = progress or NoProgress()
    items = list(itertools.islice(source, settings.max_images))
    if not items:
        raise DatasetError(f"{source_name}: there is no picture to draw")
    chosen = chosen_items(items, settings.ids, settings.sample)
    paths = figure_paths([item.source_name for item in chosen], settings.outdir, settings.kind)
    for path in paths:
        refuse_existing(path, overwrite=settings.overwrite)
    fitted = settings.estimator.fit(_scenes(items, settings, progress))
    progress.start("drawing", len(chosen))
    written = []
    work = partial(_draw, fitted, settings.kind)
    with closing(ordered_map(work, chosen, workers=settings.workers)) as found, files_into(settings.outdir) as write:
        for figure, path in zip(found, paths, strict=True):
            progress.advance()
            if isinstance(figure, Unusable):
                refuse_unusable(figure, settings.on_error)
                skipped.setdefault(figure.kind, []).append(figure.reason)
            else:
                write(path.name, figure.data, overwrite=settings.overwrite)
                scene = figure.scene
                drawn = DrawnScene(
                    picture=scene.source_name, person_count=scene.person_count, density=figure.density, path=path
                )
                written.append(drawn)
    return written, skipped


def chosen_items(items: Sequence[Annotated], ids: Sequence[str], sample: int) -> list[Annotated]:
    """The pictures of these names, in their order, or a sample evenly spread.

    A name may be given by how it begins, where only one begins so.

    Raises:
        ConfigError: no picture has such a name, or several have.
    """
    if not ids:
        return evenly_spread(items, sample)
    chosen = []
    for name in ids:
        exact = [item for item in items if name in (item.source_name, Path(item.source_name).stem)]
        found = exact or [item for item in items if item.source_name.startswith(name)]
        if len(found) != 1:
            names = [item.source_name for item in found or items][:SHOWN_NAMES]
            what = f"{len(found)} pictures begin so" if found else f"none of the {len(items)} pictures has that name"
            raise ConfigError(f"--ids {name}: {what}; there are {', '.join(names)}, …")
        chosen += found
    return chosen


def figure_paths(names: Sequence[str], folder: Path, kind: str) -> list[Path]:
    """A path for the figure of each picture; different for different pictures."""
    paths: list[Path] = []
    for name in names:
        plain = name.removesuffix(Path(name).suffix) if Path(name).suffix.lower() in SUFFIXES else name
        stem = UNSAFE.sub("_", plain)
        path, number = folder / f"{stem}.{kind}", 1
        while path in paths:
            number += 1
            path = folder / f"{stem}-{number}.{kind}"
        paths.append(path)
    return paths


def _scenes(items: Sequence[Annotated], settings: DensityPlotSettings, progress: Progress) -> Iterator[Scene]:
    """All scenes, read only if the estimator asks for them."""
    progress.start("reading scenes", len(items))
    with closing(ordered_map(whole_scene, items, workers=settings.workers)) as outcomes:
        for outcome in outcomes:
            progress.advance()
            if not isinstance(outcome, Unusable):
                yield outcome


def _draw(estimator: DensityEstimator, kind: str, item: Annotated) -> _Figure | Unusable:
    try:
        scene, image = open_scene(item)
        pixels = np.asarray(upright_rgb(image, item.picture.where))
    except CrowdganError as error:
        return Unusable(source_name=item.source_name, kind="damaged or unfit pictures", reason=str(error))
    found = measured(pixels, scene, estimator)
    with styled():
        return _Figure(scene, found.density, encoded(density_figure(found), kind, dpi=DPI))
