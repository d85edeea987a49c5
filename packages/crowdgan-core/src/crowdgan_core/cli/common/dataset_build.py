"""The common body of the commands that build a dataset."""

from __future__ import annotations

from crowdgan_core.cli.common.output import print_summary
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.cli.common.source_options import SourceOptions
from crowdgan_core.datasets.format_lookup import format_for
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.errors import ConfigError
from crowdgan_core.hookspecs import ScenePlotter
from crowdgan_core.pipeline.build import build_dataset
from crowdgan_core.pipeline.build_config import BuildConfig, BuildOptions
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.scenes.transform import ImageTransform


def build_and_report(
    source: SourceOptions,
    options: BuildOptions,
    transform: ImageTransform,
    *,
    estimator: DensityEstimator | None = None,
    plotter: ScenePlotter | None = None,
) -> None:
    """Builds a dataset with a progress bar and prints the summary; the destination's name determines the format.

    Raises:
        ConfigError: no format has such a name, or the destination would overwrite its source.
    """
    plugins = installed_plugins()
    for path in (*source.paths, *source.annotations):
        if path.resolve().is_relative_to(options.dest.resolve()):
            raise ConfigError(f"--dest {options.dest}: it would overwrite the source {path}; use another destination")
    config = BuildConfig(
        **vars(options),
        format=format_for(options.dest, plugins.dataset_formats.values()),
        transform=transform,
        estimator=estimator,
        plotter=plotter,
    )
    reader, source_name = source.open_source(plugins)
    with progress_bar() as progress:
        summary = build_dataset(reader, source_name, config, progress)
    print_summary(summary, options.dest)
