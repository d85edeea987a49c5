"""Fitting of a density estimator to the scenes of a source."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from functools import partial

from crowdgan_core.density.checked_calls import fit_estimator
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.pipeline.build_config import BuildConfig
from crowdgan_core.pipeline.image_job import SkippedImage, load_measured_scene
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.sources.base import SourceReader
from crowdgan_core.utils.parallel import parallel_map
from crowdgan_core.utils.progress import Progress


def fit_to_source(source: SourceReader, config: BuildConfig, progress: Progress) -> DensityEstimator | None:
    """The estimator fitted to the scenes, which are read only if it iterates over them; None without an estimator."""
    if config.estimator is None:
        return None
    return fit_estimator(config.estimator, _scenes(source, config, progress))


def _scenes(source: SourceReader, config: BuildConfig, progress: Progress) -> Iterator[Scene]:
    progress.start("reading scenes", config.count_images(source))
    load = partial(load_measured_scene, config.image_job(config.estimator))
    images = itertools.islice(source, config.max_images)
    with closing(parallel_map(load, images, workers=config.executor)) as outcomes:
        for outcome in outcomes:
            progress.advance()
            if not isinstance(outcome, SkippedImage):  # the build reports skipped images
                yield outcome
