"""`crowdgan stylegan3 init`: a model with random weights."""

from __future__ import annotations

from pathlib import Path

import click

from crowdgan_core.cli.common.dataclass_options import add_options
from crowdgan_core.cli.common.output import printable
from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import check_overwrite
from crowdgan_core.models.card import MODEL_SUFFIX
from crowdgan_stylegan3.config import Variant
from crowdgan_stylegan3.training.config.options import TrainOptions


@click.command("init")
@add_options(TrainOptions, "variant")
@click.option("--resolution", type=int, default=64, show_default=True, help="Image side in pixels (power of two).")
@click.option("--classes", default="", metavar="A,B,…", help="Class names, comma-separated.  [default: unconditional]")
@add_options(TrainOptions, "channel_base", "channel_max", channel_base=16384)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Random seed of the weights."
)
@click.option("--dest", type=click.Path(path_type=Path), help="Output file.  [default: CFG-RESOLUTION.safetensors]")
@click.option("--overwrite", is_flag=True, help="Overwrite the file if it exists.")
def command(
    variant: Variant,
    resolution: int,
    classes: str,
    channel_base: int,
    channel_max: int,
    seed: int,
    dest: Path | None,
    overwrite: bool,
) -> None:
    """Create a model with random weights, for testing.

    Its images show textures, not crowds. It works with every command that takes a model: crowdgan generate, sweep,
    inspect and stylegan3 video.

    \b
    Examples:
      crowdgan stylegan3 init --cfg stylegan3-t --resolution 64 --classes sparse,medium,dense
      crowdgan stylegan3 init --cfg stylegan2 --resolution 32 --cbase 2048 --cmax 32 --dest small.safetensors
    """
    from crowdgan_stylegan3.config import generator_config
    from crowdgan_stylegan3.inference.random_init import random_card, random_generator
    from crowdgan_stylegan3.io.safetensors_files import save_network

    names = parse_class_names(classes)
    config = generator_config(
        variant, resolution=resolution, label_dim=len(names), channel_base=channel_base, channel_max=channel_max
    )
    dest = dest or Path(f"{variant}-{resolution}{MODEL_SUFFIX}")
    check_overwrite(dest, overwrite=overwrite)
    save_network(random_generator(config, seed), random_card(config, names, seed), dest, overwrite=overwrite)
    click.echo(printable(f"wrote {dest}"))


def parse_class_names(text: str) -> tuple[str, ...]:
    """The class names in `A,B,…`; none in an empty text.

    Raises:
        ConfigError: an empty or repeated name.
    """
    names = tuple(name.strip() for name in text.split(",")) if text.strip() else ()
    if "" in names or len(set(names)) < len(names):
        raise ConfigError(f"--classes {text}: names must be different and not empty, for example sparse,medium,dense")
    return names
