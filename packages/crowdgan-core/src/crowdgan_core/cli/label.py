"""`crowdgan label`: a dataset with density labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import click

from crowdgan_core.cli.common.output import print_summary
from crowdgan_core.cli.common.param_types import EstimatorName
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.cli.common.source_options import PipelineOptions, parse_settings, pipeline_options
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.errors import ConfigError
from crowdgan_core.hookspecs import ScenePlotter
from crowdgan_core.pipeline.build import build_dataset
from crowdgan_core.pipeline.reading import ErrorPolicy
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.plugins.registry import PluginRegistry


@click.command("label")
@pipeline_options(transform="center-crop", resolution="256x256")
@click.option("--density", type=EstimatorName(), required=True, help="What measures how crowded an image is.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Option of the estimator; repeatable.")
@click.option(
    "--region",
    type=click.Choice(["crop", "full"]),
    default="crop",
    show_default=True,
    help="Measure what the network will see, or the whole photograph.",
)
@click.option(
    "--label-kind",
    type=click.Choice(["class", "value"]),
    default="class",
    show_default=True,
    help="Label by the number of the class, or by the density itself.",
)
@click.option(
    "--on-unknown",
    type=click.Choice(["skip", "fail"]),
    default="skip",
    show_default=True,
    help="What to do with images whose density cannot be told.",
)
@click.option("--plot", "plot_dir", type=click.Path(path_type=Path, file_okay=False), help="Folder for overlay images.")
def command(
    options: PipelineOptions,
    density: str,
    settings: Sequence[str],
    region: Literal["crop", "full"],
    label_kind: Literal["class", "value"],
    on_unknown: ErrorPolicy,
    plot_dir: Path | None,
) -> None:
    """Label images of crowds with their density and write a training dataset.

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
    label_settings = replace(
        options.label_settings(plugins),
        estimator=estimator,
        region=region,
        label_kind=label_kind,
        on_unknown=on_unknown,
        plotter=_plotter(plugins) if plot_dir is not None else None,
        plot_dir=plot_dir,
    )
    source, source_name = options.open_source(plugins)
    with progress_bar() as progress:
        summary = build_dataset(source, source_name, label_settings, progress)
    print_summary(summary, options.dest)


def _plotter(plugins: PluginRegistry) -> ScenePlotter:
    plotters = list(plugins.scene_plotters.values())
    if not plotters:
        raise ConfigError("--plot needs a plugin that draws: pip install crowdgan-plot")
    return plotters[0]
