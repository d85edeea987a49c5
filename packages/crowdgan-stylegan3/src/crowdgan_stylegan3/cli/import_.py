"""`crowdgan stylegan3 import`: a model from an official snapshot, without running anything in it."""

from __future__ import annotations

from pathlib import Path

import click

from crowdgan_core.cli.common.output import printable
from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import check_overwrite
from crowdgan_stylegan3.cli.init import class_names


@click.command("import")
@click.argument("network", type=click.Path(path_type=Path))
@click.option(
    "--dest", type=click.Path(path_type=Path), help="Model to write.  [default: the snapshot's name, .safetensors]"
)
@click.option("--classes", default="", metavar="A,B,…", help="Names of its label classes, from sparse to dense.")
@click.option(
    "--which",
    type=click.Choice(["G_ema", "G"]),
    default="G_ema",
    show_default=True,
    help="The averaged generator, or the one that was trained last.",
)
@click.option("--overwrite", is_flag=True, help="Replace the model if it exists.")
def command(network: Path, dest: Path | None, classes: str, which: str, overwrite: bool) -> None:
    """Turn an official snapshot (StyleGAN3 or StyleGAN2-ADA for PyTorch, NETWORK.pkl) into a model.

    Pickles can run programs. This one is read without running anything: what a snapshot does not need is refused by
    name.

    \b
    Examples:
      crowdgan stylegan3 import network-snapshot-025000.pkl --classes sparse,medium,dense
      crowdgan stylegan3 import stylegan3-t-ffhq-1024x1024.pkl --dest ffhq.safetensors
      crowdgan inspect ffhq.safetensors
    """
    from crowdgan_stylegan3.io.official_snapshot import read_official_snapshot
    from crowdgan_stylegan3.io.safetensors_files import save_network

    dest = dest or network.with_suffix(".safetensors")
    if dest.resolve() == network.resolve():
        raise ConfigError(f"--dest {dest}: it would replace the snapshot that is read; choose another")
    check_overwrite(dest, overwrite=overwrite)
    generator, card = read_official_snapshot(network, which=which, classes=class_names(classes))
    save_network(generator, card, dest, overwrite=overwrite)
    click.echo(printable(f"made {dest}"))
