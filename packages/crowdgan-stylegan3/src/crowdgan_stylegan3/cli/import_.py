"""`crowdgan stylegan3 import`: a model from an official snapshot, without executing anything in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crowdgan_core.cli.common.output import printable
from crowdgan_core.models.card import MODEL_SUFFIX
from crowdgan_stylegan3.cli.init import parse_class_names

if TYPE_CHECKING:
    from crowdgan_stylegan3.io.official_snapshot import GeneratorName


@click.command("import")
@click.argument("network", type=click.Path(path_type=Path))
@click.option("--dest", type=click.Path(path_type=Path), help="Output file.  [default: NETWORK.safetensors]")
@click.option("--classes", default="", metavar="A,B,…", help="Class names, comma-separated, from sparse to dense.")
@click.option(
    "--which",
    type=click.Choice(["G_ema", "G"]),
    default="G_ema",
    show_default=True,
    help="Network: EMA generator (G_ema) or raw generator (G).",
)
@click.option("--overwrite", is_flag=True, help="Overwrite the file if it exists.")
def command(network: Path, dest: Path | None, classes: str, which: GeneratorName, overwrite: bool) -> None:
    """Convert an official StyleGAN3 or StyleGAN2-ADA snapshot to a model.

    Unpickling can execute code. NETWORK.pkl is read without executing anything: a name that a snapshot does not need
    is refused, and the error names it.

    \b
    Examples:
      crowdgan stylegan3 import network-snapshot-025000.pkl --classes sparse,medium,dense
      crowdgan stylegan3 import stylegan3-t-ffhq-1024x1024.pkl --dest ffhq.safetensors
      crowdgan inspect ffhq.safetensors
    """
    from crowdgan_stylegan3.io.official_snapshot import import_snapshot

    dest = dest or network.with_suffix(MODEL_SUFFIX)
    import_snapshot(network, dest, classes=parse_class_names(classes), which=which, overwrite=overwrite)
    click.echo(printable(f"wrote {dest}"))
