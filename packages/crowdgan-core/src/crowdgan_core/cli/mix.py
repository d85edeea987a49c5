"""`crowdgan mix`: style mixing of two sets of seeds."""

from __future__ import annotations

from pathlib import Path

import click

from crowdgan_core.api import load_generator
from crowdgan_core.cli.common.dataclass_options import add_options, options_from
from crowdgan_core.cli.common.model_options import device_option, network_option
from crowdgan_core.cli.common.output import printable, warn_about_extrapolation
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.models.generation.conditioning import Conditioning
from crowdgan_core.models.generation.generation import GenerationOptions
from crowdgan_core.models.generation.mixing import MixConfig, write_mixes


@click.command("mix")
@network_option
@add_options(MixConfig)
@options_from(Conditioning)
@options_from(GenerationOptions, "truncation_psi", "truncation_cutoff", "truncation_mean", "batch_size")
@device_option
def command(
    conditioning: Conditioning,
    options: GenerationOptions,
    network: Path,
    device: str,
    rows: tuple[int, ...],
    cols: tuple[int, ...],
    styles: tuple[int, ...] | None,
    outdir: Path,
    overwrite: bool,
) -> None:
    """Mix the layers of two sets of seeds (style mixing).

    Each image takes the layers --styles from its column seed and the others from its row seed. Writes one PNG per
    pair, such as mix-0001-0005.png for row seed 1 and column seed 5, and mix.png, a grid of all: the first row has
    the images of the column seeds, the first column those of the row seeds. Each PNG file records model, seeds and
    options in a text chunk.

    The default of --styles is the coarse half of the model's layers, for example 0-6 of 14 layers.

    \b
    Examples:
      crowdgan mix --network model.safetensors --rows 0-3 --cols 4-8 --density dense --outdir out
      crowdgan mix --network model.safetensors --rows 1,5 --cols 7-9 --styles 0-3 --class 2 --trunc 0.7 --outdir out
    """
    config = MixConfig(
        rows=rows,
        cols=cols,
        styles=styles,
        outdir=outdir,
        overwrite=overwrite,
        model_name=network.name,
        conditioning=conditioning,
        options=options,
    )
    config.check_destination()
    generator = load_generator(network, device, check=config.check_model)
    warn_about_extrapolation(generator.card, conditioning)
    with progress_bar() as progress:
        paths = write_mixes(generator, config, progress)
    click.echo(printable(f"wrote {paths[0]} and {len(paths) - 1} images of pairs"))
