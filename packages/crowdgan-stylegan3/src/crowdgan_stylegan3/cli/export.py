"""`crowdgan stylegan3 export`: a network out of a checkpoint of training."""

from __future__ import annotations

from pathlib import Path

import click

from crowdgan_core.cli.common.output import printable
from crowdgan_core.io.atomic import check_overwrite


@click.command("export")
@click.argument("checkpoint", metavar="RUN|CHECKPOINT", type=click.Path(path_type=Path))
@click.option(
    "--which",
    type=click.Choice(["G_ema", "G", "D"]),
    default="G_ema",
    show_default=True,
    help="The averaged generator, the one that was trained last, or the discriminator.",
)
@click.option("--dest", type=click.Path(path_type=Path), required=True, help="File to write: NAME.safetensors.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
def command(checkpoint: Path, which: str, dest: Path, overwrite: bool) -> None:
    """Take a network out of a checkpoint of training, or out of the one in a run folder.

    A generator becomes a model for crowdgan generate; a discriminator a file that Python reads by
    crowdgan_stylegan3.checkpoint.load_discriminator.

    \b
    Examples:
      crowdgan stylegan3 export runs/00000-stylegan3-t-crowds-batch32-gamma2 --dest model.safetensors
      crowdgan stylegan3 export runs/00000-stylegan3-t-crowds-batch32-gamma2 --which D --dest d.safetensors
    """
    from crowdgan_stylegan3.training.checkpoints.export import export

    check_overwrite(dest, overwrite=overwrite)
    export(checkpoint, which, dest, overwrite=overwrite)
    click.echo(printable(f"made {dest}"))
