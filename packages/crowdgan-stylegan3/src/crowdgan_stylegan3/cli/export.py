"""`crowdgan stylegan3 export`: one network of a training checkpoint, or another model, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crowdgan_core.cli.common.output import printable
from crowdgan_core.models.pretrained import find_model
from crowdgan_core.plugins.discovery import installed_plugins

if TYPE_CHECKING:
    from crowdgan_stylegan3.training.checkpoints.export import NetworkName


@click.command("export")
@click.argument("run", metavar="RUN|CHECKPOINT|MODEL", type=click.Path(path_type=Path))
@click.option(
    "--which",
    type=click.Choice(["G_ema", "G", "D"]),
    default="G_ema",
    show_default=True,
    help="Network: EMA generator, raw generator or discriminator.",
)
@click.option("--half", is_flag=True, help="Store weights as float16: half the file size.")
@click.option(
    "--with-discriminator", is_flag=True, help="Store the discriminator in the model, for train stylegan3 --resume."
)
@click.option("--dest", type=click.Path(path_type=Path), required=True, help="Output file (NAME.safetensors).")
@click.option("--overwrite", is_flag=True, help="Overwrite the file if it exists.")
def command(run: Path, dest: Path, which: NetworkName, half: bool, with_discriminator: bool, overwrite: bool) -> None:
    """Export one network from a run folder, a training checkpoint or another model.

    A generator becomes a model for crowdgan generate, sweep and inspect; its card has the metrics and duration of the
    run. A discriminator is read in Python by crowdgan_stylegan3.io.safetensors_files.load_discriminator.

    Weights stored as float16 are float32 after loading; values beyond the range of float16 remain float32 in the file.

    \b
    Examples:
      crowdgan stylegan3 export runs/00000-stylegan3-t-crowds-batch32-gamma2 --dest model.safetensors
      crowdgan stylegan3 export runs/00000-stylegan3-t-crowds-batch32-gamma2 --which D --dest d.safetensors
      crowdgan stylegan3 export runs/00000-stylegan3-t-crowds-batch32-gamma2 --half --with-discriminator \\
          --dest model.safetensors
      crowdgan stylegan3 export best-kid_lite0.safetensors --half --dest small.safetensors
    """
    from crowdgan_stylegan3.training.checkpoints.export import export_network

    source = find_model(run, installed_plugins(), expected="run folder, checkpoint or model", accepts_folder=True)
    export_network(source, dest, which=which, half=half, with_discriminator=with_discriminator, overwrite=overwrite)
    click.echo(printable(f"wrote {dest}"))
