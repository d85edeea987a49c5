"""`crowdgan stylegan3 export`: one network of a training checkpoint as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crowdgan_core.cli.common.output import printable
from crowdgan_core.models.file_kind import check_local

if TYPE_CHECKING:
    from crowdgan_stylegan3.training.checkpoints.export import NetworkName


@click.command("export")
@click.argument("run", metavar="RUN|CHECKPOINT", type=click.Path(path_type=Path))
@click.option(
    "--which",
    type=click.Choice(["G_ema", "G", "D"]),
    default="G_ema",
    show_default=True,
    help="Network: EMA generator, raw generator or discriminator.",
)
@click.option("--dest", type=click.Path(path_type=Path), required=True, help="Output file (NAME.safetensors).")
@click.option("--overwrite", is_flag=True, help="Overwrite the file if it exists.")
def command(run: Path, dest: Path, which: NetworkName, overwrite: bool) -> None:
    """Export one network from a training checkpoint or run folder.

    A generator becomes a model for crowdgan generate, sweep and inspect. A discriminator is read in Python by
    crowdgan_stylegan3.io.safetensors_files.load_discriminator.

    \b
    Examples:
      crowdgan stylegan3 export runs/00000-stylegan3-t-crowds-batch32-gamma2 --dest model.safetensors
      crowdgan stylegan3 export runs/00000-stylegan3-t-crowds-batch32-gamma2 --which D --dest d.safetensors
    """
    from crowdgan_stylegan3.training.checkpoints.export import export_network

    check_local(run)
    export_network(run, dest, which=which, overwrite=overwrite)
    click.echo(printable(f"wrote {dest}"))
