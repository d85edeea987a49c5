"""`crowdgan convert`: images to a training dataset, with their existing labels."""

from __future__ import annotations

import click

from crowdgan_core.cli.common.dataclass_options import options_from
from crowdgan_core.cli.common.dataset_build import build_and_report
from crowdgan_core.cli.common.source_options import SourceOptions
from crowdgan_core.pipeline.build_config import BuildOptions
from crowdgan_core.scenes.transform import ImageTransform


@click.command("convert")
@options_from(SourceOptions)
@options_from(ImageTransform)
@options_from(
    BuildOptions, "dest", "shard_size", "overwrite", "fast_decode", "on_error", "workers", "scheduler", "max_images"
)
def command(source: SourceOptions, transform: ImageTransform, options: BuildOptions) -> None:
    """Convert images to a training dataset, keeping labels they already have.

    \b
    Examples:
      crowdgan convert --source images --dest images.zip --resolution 256x256 --transform center-crop
      crowdgan convert --source crowds.zip --dest crowds.h5
      crowdgan convert --source cifar-10-python.tar.gz --dest cifar10.zip
    """
    build_and_report(source, options, transform)
