"""Density overlays of many images of a source, drawn in parallel."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from crowdgan_core.density.checked_calls import fit_estimator
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import ConfigError, CrowdganError, DatasetError, PluginError
from crowdgan_core.io.atomic import atomic_writer, check_overwrite
from crowdgan_core.io.images import to_upright_rgb
from crowdgan_core.io.names import canonical_name
from crowdgan_core.io.storage import without_image_suffix
from crowdgan_core.pipeline.image_job import UNUSABLE, SkippedImage, load_full_scene, load_scene
from crowdgan_core.pipeline.reading import ReadConfig, check_skipped, check_source_problems, require_annotations
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.sources.base import AnnotatedImage, SourceReader
from crowdgan_core.utils.formatting import join_limited
from crowdgan_core.utils.parallel import parallel_map
from crowdgan_core.utils.progress import NullProgress, Progress
from crowdgan_core.utils.sampling import evenly_spaced
from crowdgan_plot.density.estimate_figure import ESTIMATE_DPI, draw_explained_image
from crowdgan_plot.density.explained_image import explain_image
from crowdgan_plot.fonts import warn_of_missing_glyphs
from crowdgan_plot.output import DEFAULT_SAMPLE, FigureFormat
from crowdgan_plot.style import encode_figure, plot_style

UNSAFE_CHARACTERS = re.compile(r"[^\w.,-]+")
"""Characters of image names that are replaced in file names."""

MAX_LISTED_NAMES = 3
"""Image names in an error message."""


@dataclass(frozen=True, kw_only=True)
class ScenePlot:
    """A figure that was written."""

    image: str
    """Name of the image."""
    person_count: int
    estimate: DensityEstimate
    path: Path


@dataclass(frozen=True, kw_only=True)
class ScenePlots:
    """The figures of a source, and the images that were skipped."""

    written: list[ScenePlot]
    skipped: Mapping[str, list[str]]
    """Skipped items by category."""


@dataclass(frozen=True)
class _EncodedFigure:
    scene: Scene
    estimate: DensityEstimate
    data: bytes
    notes: tuple[str, ...]
    """Messages about characters that no font has."""


def plot_scenes(
    source: SourceReader,
    estimator: DensityEstimator,
    outdir: str | Path,
    sample: int = DEFAULT_SAMPLE,
    *,
    ids: Sequence[str] = (),
    file_format: FigureFormat = "png",
    overwrite: bool = False,
    read: ReadConfig | None = None,
    source_name: str = "source",
    progress: Progress | None = None,
) -> ScenePlots:
    """Writes density overlays of full images, one file each.

    Args:
        source: an open source with annotations of people.
        estimator: an estimator; it is fitted to all images of the source.
        outdir: output folder.
        sample: number of images, evenly spaced over the source, if `ids` is empty.
        ids: image names or unique prefixes.
        file_format: png, svg or pdf.
        overwrite: overwrite existing files.
        read: error handling, worker processes and maximum number of images; None for the defaults.
        source_name: name of the source in error messages.
        progress: receives one step per image.

    Raises:
        ConfigError: the source has no annotations of people, or no such image.
        DatasetError: an image cannot be read, a file cannot be written, or the source is empty.
    """
    read, outdir, progress = read or ReadConfig(), Path(outdir), progress or NullProgress()
    require_annotations(source, source_name)
    skipped = check_source_problems(source, read.on_error)
    images = list(itertools.islice(source, read.max_images))
    if not images:
        raise DatasetError(f"{source_name}: no images to plot")
    selected = select_images(images, ids, sample)
    paths = figure_paths([image.source_name for image in selected], outdir, file_format)
    for path in paths:
        check_overwrite(path, overwrite=overwrite)
    fitted = fit_estimator(estimator, _iterate_scenes(images, read, progress))
    progress.start("plotting", len(selected))
    written = []
    draw = partial(_draw, fitted, file_format)
    with closing(parallel_map(draw, selected, workers=read.executor)) as figures, atomic_writer(outdir) as write:
        for figure, path in zip(figures, paths, strict=True):
            progress.advance()
            if isinstance(figure, SkippedImage):
                check_skipped(figure, read.on_error)
                skipped.setdefault(figure.category, []).append(figure.reason)
            else:
                write(path.name, figure.data, overwrite=overwrite)
                for note in figure.notes:
                    warn_of_missing_glyphs(note)
                written.append(
                    ScenePlot(
                        image=figure.scene.source_name,
                        person_count=figure.scene.person_count,
                        estimate=figure.estimate,
                        path=path,
                    )
                )
    return ScenePlots(written=written, skipped=skipped)


def select_images(images: Sequence[AnnotatedImage], ids: Sequence[str], sample: int) -> list[AnnotatedImage]:
    """The images with the given names or unique prefixes, in their order; without names an evenly spaced sample.

    Raises:
        ConfigError: no image has such a name, or several start with it.
    """
    if not ids:
        return evenly_spaced(images, sample)
    selected = []
    named = [(canonical_name(item.source_name), item) for item in images]
    for name in ids:
        wanted = canonical_name(name)
        exact = [item for image_name, item in named if wanted in (image_name, Path(image_name).stem)]
        matches = exact or [item for image_name, item in named if image_name.startswith(wanted)]
        if len(matches) != 1:
            candidates = join_limited((item.source_name for item in matches or images), MAX_LISTED_NAMES)
            problem = f"{len(matches)} images start with it" if matches else f"no such image among {len(images)}"
            raise ConfigError(f"--ids {name}: {problem}; choose from {candidates}")
        selected += matches
    return selected


def figure_paths(names: Sequence[str], folder: Path, file_format: FigureFormat) -> list[Path]:
    """The path of each image's figure; all paths differ."""
    paths: list[Path] = []
    for name in names:
        stem = UNSAFE_CHARACTERS.sub("_", without_image_suffix(name))
        path, number = folder / f"{stem}.{file_format}", 1
        while path in paths:
            number += 1
            path = folder / f"{stem}-{number}.{file_format}"
        paths.append(path)
    return paths


def _iterate_scenes(images: Sequence[AnnotatedImage], read: ReadConfig, progress: Progress) -> Iterator[Scene]:
    """All scenes; they are read only if the estimator iterates over them."""
    progress.start("reading scenes", len(images))
    with closing(parallel_map(load_full_scene, images, workers=read.executor)) as outcomes:
        for outcome in outcomes:
            progress.advance()
            if not isinstance(outcome, SkippedImage):
                yield outcome


def _draw(
    estimator: DensityEstimator, file_format: FigureFormat, item: AnnotatedImage
) -> _EncodedFigure | SkippedImage:
    try:
        scene, stored_image = load_scene(item)
        image = np.asarray(to_upright_rgb(stored_image, item.image.where))
    except PluginError:
        raise
    except CrowdganError as error:
        return SkippedImage(source_name=item.source_name, category=UNUSABLE, reason=str(error))
    explained = explain_image(image, scene, estimator)
    notes: list[str] = []
    with plot_style():
        figure = draw_explained_image(explained)
        data = encode_figure(figure, file_format, dpi=ESTIMATE_DPI, on_note=notes.append)
    return _EncodedFigure(scene, explained.estimate, data, tuple(notes))
