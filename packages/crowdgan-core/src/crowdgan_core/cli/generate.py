"""`crowdgan generate`: images of a trained model."""

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
from crowdgan_core.models.generation.samples import SampleConfig, write_samples


@click.command("generate")
@network_option
@add_options(SampleConfig)
@options_from(Conditioning)
@options_from(GenerationOptions)
@device_option
def command(
    conditioning: Conditioning,
    options: GenerationOptions,
    network: Path,
    device: str,
    seeds: tuple[int, ...],
    latents: tuple[Path, ...],
    grid: tuple[int, int] | None,
    outdir: Path,
    overwrite: bool,
) -> None:
    """Generate images with a trained model: one PNG per seed, or one grid.

    A model with labels needs --density or --label; `crowdgan inspect MODEL` lists its labels. With --latent, images of
    latent files are generated. Each PNG file records model, seed and options in a text chunk.

    \b
    Examples:
      crowdgan generate --network model.safetensors --seeds 0-31 --density dense --outdir out
      crowdgan generate --network model.safetensors --seeds 0-31 --density dense --trunc 0.7 --grid 8x4 --outdir out
      crowdgan generate --network model.safetensors --seeds 1,5,9-12 --label 0.3,0.7,0 --outdir out
      crowdgan generate --network model.safetensors --seeds 3 --class 2 --translate 0.2,0 --rotate 15 --outdir out
      crowdgan generate --network tuned.safetensors --latent projected_w.npz --outdir out
    """
    config = SampleConfig(
        seeds=seeds,
        latents=latents,
        grid=grid,
        outdir=outdir,
        overwrite=overwrite,
        model_name=network.name,
        conditioning=conditioning,
        options=options,
    )
    config.check_destination()
    generator = load_generator(network, device, check=config.check_model)
    if seeds:
        warn_about_extrapolation(generator.card, conditioning)
    with progress_bar() as progress:
        paths = write_samples(generator, config, progress)
    click.echo(printable(f"wrote {paths[0] if len(paths) == 1 else f'{len(paths)} images to {outdir}'}"))
