"""`crowdgan stylegan3 init`: a model with random weights."""

from __future__ import annotations

from pathlib import Path

import click

from crowdgan_core.cli.common.output import printable
from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import check_overwrite
from crowdgan_stylegan3.config import VARIANTS


@click.command("init")
@click.option(
    "--cfg",
    "variant",
    type=click.Choice(VARIANTS),
    default="stylegan3-t",
    show_default=True,
    help="Kind of generator: equivariant to translation (t), to rotation too (r), or StyleGAN2's.",
)
@click.option("--resolution", type=int, default=64, show_default=True, help="Side of the images, a power of two.")
@click.option("--classes", default="", metavar="A,B,…", help="Names of the label classes; none for no labels.")
@click.option("--cbase", type=int, default=16384, show_default=True, help="Capacity: channels times sampling rate.")
@click.option("--cmax", type=int, default=512, show_default=True, help="Most channels of a layer.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Decides the weights.")
@click.option(
    "--dest",
    type=click.Path(path_type=Path),
    help="Model to write.  [default: CFG-RESOLUTION.safetensors]",
)
@click.option("--overwrite", is_flag=True, help="Replace the model if it exists.")
def command(
    variant: str,
    resolution: int,
    classes: str,
    cbase: int,
    cmax: int,
    seed: int,
    dest: Path | None,
    overwrite: bool,
) -> None:
    """Write a model with random weights, for trying things: its images show textures, not crowds. What
    takes models takes it: crowdgan generate, sweep, inspect and stylegan3 video.

    \b
    Examples:
      crowdgan stylegan3 init --cfg stylegan3-t --resolution 64 --classes sparse,medium,dense
      crowdgan stylegan3 init --cfg stylegan2 --resolution 32 --cbase 2048 --cmax 32 --dest small.safetensors
    """
    from crowdgan_stylegan3.config import generator_preset
    from crowdgan_stylegan3.inference.random_init import random_card, random_generator
    from crowdgan_stylegan3.io.safetensors_files import save_network

    names = class_names(classes)
    settings = generator_preset(
        variant,  # type: ignore[arg-type]  # click has checked it
        resolution=resolution,
        label_dim=len(names),
        channel_base=cbase,
        channel_max=cmax,
    )
    dest = dest or Path(f"{variant}-{resolution}.safetensors")
    check_overwrite(dest, overwrite=overwrite)
    save_network(random_generator(settings, seed), random_card(settings, names, seed), dest, overwrite=overwrite)
    click.echo(printable(f"made {dest}"))


def class_names(text: str) -> tuple[str, ...]:
    """The names in `A,B,…`; none for an empty text.

    Raises:
        ConfigError: an empty name, or two that are the same.
    """
    names = tuple(name.strip() for name in text.split(",")) if text.strip() else ()
    if "" in names or len(set(names)) < len(names):
        raise ConfigError(f"--classes {text}: write different names, such as sparse,medium,dense")
    return names
