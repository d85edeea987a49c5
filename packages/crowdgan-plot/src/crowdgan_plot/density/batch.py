"""Images of the densities of a source's scenes, drawn by several processes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import ConfigError, CrowdganError, DatasetError
from crowdgan_core.io.atomic import atomic_writer, check_overwrite
from crowdgan_core.io.images import SUFFIXES, to_upright_rgb
from crowdgan_core.pipeline.image_job import SkippedImage, load_full_scene, load_scene
from crowdgan_core.pipeline.reading import ReadConfig, check_skipped, check_source_problems, require_annotations
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.sources.base import AnnotatedImage, SourceReader
from crowdgan_core.utils.parallel import parallel_map
from crowdgan_core.utils.progress import NullProgress, Progress
from crowdgan_core.utils.sampling import evenly_spaced
from crowdgan_plot.density.estimate_figure import DPI, density_figure, explain_image
from crowdgan_plot.style import encode_figure, plot_style

UNSAFE = re.compile(r"[^\w.,-]+")
"""What file names are kept free of."""

SHOWN_NAMES = 3


@dataclass(frozen=True, kw_only=True)
class DensityPlotSettings(ReadConfig):
    """Which images are drawn, and how."""

    estimator: DensityEstimator
    """Not yet fitted."""

    outdir: Path
    """Folder for the figures, one file each."""

    kind: str = "png"
    """png, svg or pdf."""

    ids: tuple[str, ...] = ()
    """Names of the images, or how they begin; none for a sample."""

    sample: int = 12
    """Images of a sample, evenly spread over the source."""

    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class ScenePlot:
    """A figure that was written."""

    image: str
    person_count: int
    density: DensityEstimate
    path: Path


@dataclass(frozen=True)
class _Figure:
    scene: Scene
    density: DensityEstimate
    data: bytes


def plot_scenes(
    source: SourceReader, source_name: str, settings: DensityPlotSettings, progress: Progress | None = None
) -> tuple[list[ScenePlot], dict[str, list[str]]]:
    """Draws whole photographs of a source; returns what was written, and what was left out by its reason.

    Raises:
        ConfigError: the source has no annotations of people, or no such image.
        DatasetError: something cannot be read or written, or the source is empty.
    """
    require_annotations(source, source_name)
    skipped = check_source_problems(source, settings.on_error)
    progress = progress or NullProgress()
    items = list(itertools.islice(source, settings.max_images))
    if not items:
        raise DatasetError(f"{source_name}: there is no image to draw")
    chosen = chosen_items(items, settings.ids, settings.sample)
    paths = figure_paths([item.source_name for item in chosen], settings.outdir, settings.kind)
    for path in paths:
        check_overwrite(path, overwrite=settings.overwrite)
    fitted = settings.estimator.fit(_scenes(items, settings, progress))
    progress.start("drawing", len(chosen))
    written = []
    work = partial(_draw, fitted, settings.kind)
    with (
        closing(parallel_map(work, chosen, workers=settings.workers)) as found,
        atomic_writer(settings.outdir) as write,
    ):
        for figure, path in zip(found, paths, strict=True):
            progress.advance()
            if isinstance(figure, SkippedImage):
                check_skipped(figure, settings.on_error)
                skipped.setdefault(figure.kind, []).append(figure.reason)
            else:
                write(path.name, figure.data, overwrite=settings.overwrite)
                scene = figure.scene
                drawn = ScenePlot(
                    image=scene.source_name, person_count=scene.person_count, density=figure.density, path=path
                )
                written.append(drawn)
    return written, skipped


def chosen_items(items: Sequence[AnnotatedImage], ids: Sequence[str], sample: int) -> list[AnnotatedImage]:
    """The images of these names, in their order, or a sample evenly spread.

    A name may be given by how it begins, where only one begins so.

    Raises:
        ConfigError: no image has such a name, or several have.
    """
    if not ids:
        return evenly_spaced(items, sample)
    chosen = []
    for name in ids:
        exact = [item for item in items if name in (item.source_name, Path(item.source_name).stem)]
        found = exact or [item for item in items if item.source_name.startswith(name)]
        if len(found) != 1:
            names = [item.source_name for item in found or items][:SHOWN_NAMES]
            what = f"{len(found)} images begin so" if found else f"none of the {len(items)} images has that name"
            raise ConfigError(f"--ids {name}: {what}; there are {', '.join(names)}, …")
        chosen += found
    return chosen


def figure_paths(names: Sequence[str], folder: Path, kind: str) -> list[Path]:
    """A path for the figure of each image; different for different images."""
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


def _scenes(items: Sequence[AnnotatedImage], settings: DensityPlotSettings, progress: Progress) -> Iterator[Scene]:
    """All scenes, read only if the estimator asks for them."""
    progress.start("reading scenes", len(items))
    with closing(parallel_map(load_full_scene, items, workers=settings.workers)) as outcomes:
        for outcome in outcomes:
            progress.advance()
            if not isinstance(outcome, SkippedImage):
                yield outcome


def _draw(estimator: DensityEstimator, kind: str, item: AnnotatedImage) -> _Figure | SkippedImage:
    try:
        scene, image = load_scene(item)
        pixels = np.asarray(to_upright_rgb(image, item.image.where))
    except CrowdganError as error:
        return SkippedImage(source_name=item.source_name, kind="damaged or unfit images", reason=str(error))
    found = explain_image(pixels, scene, estimator)
    with plot_style():
        return _Figure(scene, found.density, encode_figure(density_figure(found), kind, dpi=DPI))
