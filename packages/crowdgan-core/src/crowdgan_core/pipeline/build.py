"""The pipeline from a source to a training dataset: estimate the density, crop, resize, store and label each image."""

from __future__ import annotations

import time

from crowdgan_core.datasets.protocols import SequentialFormat
from crowdgan_core.datasets.shards.format import ShardsFormat
from crowdgan_core.errors import ConfigError
from crowdgan_core.pipeline.build_config import BuildConfig
from crowdgan_core.pipeline.reading import check_source_problems, require_annotations
from crowdgan_core.pipeline.sequential_build import build_in_order
from crowdgan_core.pipeline.sharded_build import build_in_shards
from crowdgan_core.pipeline.summary import BuildSummary
from crowdgan_core.sources.base import SourceReader
from crowdgan_core.utils.progress import NullProgress, Progress


def build_dataset(
    source: SourceReader, source_name: str, config: BuildConfig, progress: Progress | None = None
) -> BuildSummary:
    """Builds a dataset from a source; the destination appears only if the whole build succeeds.

    A build into shards that was interrupted continues with the first missing shard.

    Args:
        source: the indexed source.
        source_name: the source in the metadata, for example `crowdhuman: CrowdHuman_train01.zip`.
        config: settings of the build.
        progress: receives one step per image.

    Raises:
        ConfigError: an estimator is given, and the source has no annotations of people, or the format is read-only.
        DatasetError: something cannot be read or written, or no images remain.
        DensityError: a density cannot be estimated and `on_unknown` is `fail`.
        PluginError: an exception in a plugin's code, or an invalid result.
    """
    started = time.monotonic()
    progress = progress or NullProgress()
    if config.estimator is not None:
        require_annotations(source, source_name)
    summary = BuildSummary()
    summary.skipped.update(check_source_problems(source, config.on_error))
    if isinstance(config.format, ShardsFormat):
        metadata = build_in_shards(source, source_name, config, summary, progress)
    elif isinstance(config.format, SequentialFormat):
        metadata = build_in_order(source, source_name, config, config.format, summary, progress)
    else:
        raise ConfigError(f"{config.dest}: datasets of the format {config.format.name} can only be read")
    summary.classes, summary.unit = metadata.classes, metadata.unit
    if config.estimator is not None:
        summary.estimator, summary.class_bounds = metadata.estimator, metadata.class_bounds
    summary.elapsed_s = time.monotonic() - started
    return summary
