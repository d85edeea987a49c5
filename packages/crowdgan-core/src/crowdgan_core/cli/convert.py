"""`crowdgan convert`: a dataset of pictures as they are, with the labels that they have."""

from __future__ import annotations

import click

from crowdgan_core.cli.options import PipelineOptions, pipeline_options
from crowdgan_core.cli.progress import shown_progress
from crowdgan_core.cli.report import print_summary
from crowdgan_core.labelling import make_dataset
from crowdgan_core.plugins import installed_plugins


@click.command("convert")
@pipeline_options(transform="none", resolution=None)
def command(options: PipelineOptions) -> None:
    """Make a training dataset of any pictures, without measuring densities; labels of the source are kept.

    \b
    Examples:
      crowdgan convert --source photos --dest photos.zip --resolution 256x256 --transform center-crop
      crowdgan convert --source crowds.zip --dest crowds.h5
      crowdgan convert --source cifar-10-python.tar.gz --dest cifar10.zip
    """
    plugins = installed_plugins()
    source, source_name = options.open_source(plugins)
    with shown_progress() as progress:
        summary = make_dataset(source, source_name, options.label_settings(plugins), progress)
    print_summary(summary, options.dest)
