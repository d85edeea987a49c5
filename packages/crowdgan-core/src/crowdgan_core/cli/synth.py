"""`crowdgan synth`: synthetic crowds with ground truth."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from crowdgan_core.cli.common.dataclass_options import options_from
from crowdgan_core.cli.common.output import printable
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.cluster.parallel_options import ParallelOptions
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.synthetic import SyntheticConfig


@click.command("synth")
@click.argument("out", type=click.Path(path_type=Path))
@options_from(SyntheticConfig, images=500)
@options_from(ParallelOptions)
@click.option("--overwrite", is_flag=True, help="Overwrite an earlier synthetic dataset in OUT.")
def command(config: SyntheticConfig, parallel: ParallelOptions, out: Path, overwrite: bool) -> None:
    """Render synthetic crowd images with ground truth, in CrowdHuman layout.

    The folder OUT then contains CrowdHuman_train01.zip, annotation_train.odgt, and the ground truth in truth.json:
    cameras, positions of people on the ground in metres, and densities in persons/m². If the command stops early, the
    same command continues.

    \b
    Examples:
      crowdgan synth crowds --images 60
      crowdgan synth crowds --images 300 --resolution 1280x720 --density 0.5 6 --max-people 400 --seed 7
      crowdgan synth square --images 10000 --resolution 192x192 --camera-height 3.5 3.7 \\
          --camera-pitch 38 40 --focal-length 40 40 --crowd-region full

    The last example shows the images of a fixed surveillance camera.
    """
    from crowdgan_core.synthetic import write_synthetic_dataset  # imported late: it loads the renderer

    with progress_bar() as progress:
        write_synthetic_dataset(config, out, progress, workers=parallel.executor, overwrite=overwrite)
    click.echo(printable(f"wrote {config.images} images of crowds to {out}"))
    estimators = installed_plugins().density_estimators
    if estimators:
        source, dest = shlex.quote(str(out)), shlex.quote(f"{out}.zip")
        click.echo(
            printable(f"Next step: crowdgan label --source {source} --dest {dest} --density {next(iter(estimators))}")
        )
