"""`crowdgan synth`: made-up crowds with known truth."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from crowdgan_core.cli.common.output import printable
from crowdgan_core.cli.common.param_types import Resolution
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset
from crowdgan_core.synthetic.writer import DENSITY_LIMITS, MAX_PEOPLE
from crowdgan_core.utils.parallel import available_cpus


@click.command("synth")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--images", type=click.IntRange(min=1), default=500, show_default=True, help="Number of images.")
@click.option(
    "--resolution", type=Resolution(), default="640x480", show_default=True, help="Size of the images in pixels."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same seed, the same files.")
@click.option(
    "--density",
    type=(float, float),
    default=(0.08, 4.0),
    show_default=True,
    metavar="LOW HIGH",
    help="Persons/m² of the emptiest and the fullest image, from {:g} to {:g}.".format(*DENSITY_LIMITS),
)
@click.option(
    "--max-people",
    type=int,
    default=200,
    show_default=True,
    help=f"Persons in the largest crowd, from 1 to {MAX_PEOPLE}.",
)
@click.option("--workers", type=click.IntRange(min=0), default=0, help="Processes.  [default: one per core]")
@click.option("--overwrite", is_flag=True, help="Replace an earlier download in OUT.")
def command(
    out: Path,
    images: int,
    resolution: tuple[int, int],
    seed: int,
    density: tuple[float, float],
    max_people: int,
    workers: int,
    overwrite: bool,
) -> None:
    """Make images of made-up crowds in the folder OUT, in the form in which CrowdHuman is downloaded.

    OUT then holds CrowdHuman_train01.zip, annotation_train.odgt, and truth.json with what no annotator knows: cameras,
    where people stand on the ground in metres, and the true density in persons/m².

    \b
    Examples:
      crowdgan synth crowds --images 60
      crowdgan synth crowds --images 300 --resolution 1280x720 --density 0.5 6 --max-people 400 --seed 7
    """
    settings = SyntheticConfig(
        images=images,
        size=resolution,
        seed=seed,
        density=density,
        max_people=max_people,
        workers=workers or available_cpus(),
    )
    with progress_bar() as progress:
        write_synthetic_dataset(settings, out, progress, overwrite=overwrite)
    click.echo(printable(f"made {images} images of crowds in {out}"))
    estimators = installed_plugins().density_estimators
    if estimators:
        source, dest = shlex.quote(str(out)), shlex.quote(f"{out}.zip")
        click.echo(
            printable(f"Label them: crowdgan label --source {source} --dest {dest} --density {next(iter(estimators))}")
        )
