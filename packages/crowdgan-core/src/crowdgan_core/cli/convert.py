"""`crowdgan convert`: a dataset of images as they are, with the labels that they have."""

from __future__ import annotations

import click

from crowdgan_core.cli.common.output import print_summary
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.cli.common.source_options import PipelineOptions, pipeline_options
from crowdgan_core.pipeline.build import build_dataset
from crowdgan_core.plugins.discovery import installed_plugins


@click.command("convert")
@pipeline_options(transform="none", resolution=None)
def command(options: PipelineOptions) -> None:
    """Make a training dataset of any images, without measuring densities; labels of the source are kept.

    \b
    Examples:
      crowdgan convert --source photos --dest photos.zip --resolution 256x256 --transform center-crop
      crowdgan convert --source crowds.zip --dest crowds.h5
      crowdgan convert --source cifar-10-python.tar.gz --dest cifar10.zip
    """
    plugins = installed_plugins()
    source, source_name = options.open_source(plugins)
    with progress_bar() as progress:
        summary = build_dataset(source, source_name, options.label_settings(plugins), progress)
    print_summary(summary, options.dest)
