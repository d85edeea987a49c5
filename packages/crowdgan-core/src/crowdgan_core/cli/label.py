"""`crowdgan label`: images of crowds to a training dataset with density labels."""

from __future__ import annotations

from collections.abc import Sequence

import click

from crowdgan_core.cli.common.dataclass_options import options_from
from crowdgan_core.cli.common.dataset_build import build_and_report
from crowdgan_core.cli.common.param_types import EstimatorName
from crowdgan_core.cli.common.source_options import SourceOptions, parse_settings
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.errors import ConfigError
from crowdgan_core.hookspecs import ScenePlotter
from crowdgan_core.pipeline.build_config import BuildOptions
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.plugins.registry import PluginRegistry
from crowdgan_core.scenes.transform import ImageTransform


@click.command("label")
@options_from(SourceOptions)
@options_from(ImageTransform, name="center-crop", size=(256, 256))
@click.option("--density", type=EstimatorName(), required=True, help="Density estimator; see `crowdgan density`.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Estimator option (repeatable).")
@options_from(BuildOptions)
def command(
    source: SourceOptions, transform: ImageTransform, options: BuildOptions, density: str, settings: Sequence[str]
) -> None:
    """Estimate the crowd density of each image and write a training dataset.

    \b
    Examples:
      crowdgan label --source CrowdHuman --dest crowds.zip --density grid
      crowdgan label --source CrowdHuman_train01.zip --source CrowdHuman_train02.zip \\
          --annotations annotation_train.odgt --dest crowds.h5 \\
          --density threshold --set sparse_up_to=5 --resolution 512x512

    `crowdgan density` lists the estimators and their options.
    """
    plugins = installed_plugins()
    estimator = configure_estimator(plugins.density_estimators[density], parse_settings(settings))
    plotter = _plotter(plugins) if options.plot_dir is not None else None
    build_and_report(source, options, transform, estimator=estimator, plotter=plotter)


def _plotter(plugins: PluginRegistry) -> ScenePlotter:
    plotters = list(plugins.scene_plotters.values())
    if not plotters:
        raise ConfigError("--plot needs a plugin with a scene plotter: pip install crowdgan-plot")
    return plotters[0]
