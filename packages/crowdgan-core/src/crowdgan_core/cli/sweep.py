"""`crowdgan sweep`: one seed from sparse to dense."""

from __future__ import annotations

from pathlib import Path

import click

from crowdgan_core.api import load_generator
from crowdgan_core.cli.common.dataclass_options import add_options, options_from
from crowdgan_core.cli.common.model_options import device_option, network_option
from crowdgan_core.cli.common.output import printable
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.models.generation.generation import GenerationOptions
from crowdgan_core.models.generation.strips import AnimationFormat
from crowdgan_core.models.generation.sweep_steps import SweepRange
from crowdgan_core.models.generation.sweeps import SweepConfig, write_sweeps


@click.command("sweep")
@network_option
@add_options(SweepConfig)
@options_from(SweepRange)
@options_from(GenerationOptions, "truncation_psi", "truncation_cutoff", "truncation_mean", "noise_mode", "batch_size")
@device_option
def command(
    sweep_range: SweepRange,
    options: GenerationOptions,
    network: Path,
    device: str,
    seeds: tuple[int, ...],
    animation: AnimationFormat,
    outdir: Path,
    sheet: bool,
    overwrite: bool,
) -> None:
    """Generate one seed from sparse to dense, as an image strip and animation.

    Writes sweep-seed0003.png, a strip with captions, and sweep-seed0003.webp, an animation that plays forwards and
    backwards. Images below 128 px are upscaled by an integer factor, so that captions are readable. The steps between
    two densities are logarithmic if the last one is more than 10 times the first. For a projected image, use
    `crowdgan edit --latent`.

    \b
    Examples:
      crowdgan sweep --network model.safetensors --seed 3 --outdir out
      crowdgan sweep --network model.safetensors --seeds 0-7 --steps 13 --trunc 0.7 --format gif --outdir out
      crowdgan sweep --network model.safetensors --seed 3 --from 0.5 --to 4 --steps 8 --outdir out
      crowdgan sweep --network crowds64 --seeds 0-3 --sheet --outdir out
    """
    config = SweepConfig(
        seeds=seeds,
        animation=animation,
        outdir=outdir,
        sheet=sheet,
        overwrite=overwrite,
        model_name=network.name,
        sweep_range=sweep_range,
        options=options,
    )
    config.check_destination()
    generator = load_generator(network, device, check=config.check_model)
    with progress_bar() as progress:
        paths = write_sweeps(generator, config, progress)
    for path in paths:
        click.echo(printable(f"wrote {path}"))
