"""`crowdgan sweep`: one place from the least to the most crowded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from crowdgan_core.api import load_generator
from crowdgan_core.cli.common.model_options import network_option, rendering_options
from crowdgan_core.cli.common.output import printable
from crowdgan_core.cli.common.progress_bars import progress_bar


@click.command("sweep")
@network_option
@click.option("--seed", "--seeds", "seeds", required=True, help="The place: a seed, or several as in 0-7 or 1,5,9-12.")
@click.option("--steps", type=int, help="Images, mixing neighbouring classes.  [default: one per class]")
@click.option("--from", "first", type=float, help="First density, for a model whose label is the density.")
@click.option("--to", "last", type=float, help="Last density; --steps images between them.  [default: 7]")
@click.option(
    "--format",
    "animation",
    type=click.Choice(["webp", "gif"]),
    default="webp",
    show_default=True,
    help="Form of the animated file.",
)
@rendering_options
def command(
    network: Path,
    seeds: str,
    steps: int | None,
    first: float | None,
    last: float | None,
    animation: Literal["webp", "gif"],
    trunc: float,
    batch: int,
    device: str,
    outdir: Path,
    overwrite: bool,
) -> None:
    """Show one place from the least to the most crowded, with a trained model that has labels.

    Writes sweep-seed0003.png, the images side by side with captions, and sweep-seed0003.webp, the same as an
    animation there and back. Small images are enlarged by a whole factor, for captions to be readable.

    \b
    Examples:
      crowdgan sweep --network model.safetensors --seed 3 --outdir out
      crowdgan sweep --network model.safetensors --seeds 0-7 --steps 13 --trunc 0.7 --format gif --outdir out
      crowdgan sweep --network model.safetensors --seed 3 --from 0.5 --to 4 --steps 8 --outdir out
    """
    from crowdgan_core.models.generation.generation import GenerationOptions
    from crowdgan_core.models.generation.parsing import parse_seeds
    from crowdgan_core.models.generation.sweep_steps import SweepRange
    from crowdgan_core.models.generation.sweeps import SweepConfig, write_sweeps

    settings = SweepConfig(
        outdir=outdir,
        seeds=parse_seeds(seeds),
        model_name=network.name,
        through=SweepRange(steps=steps, first=first, last=last),
        rendering=GenerationOptions(truncation_psi=trunc, batch_size=batch),
        animation=animation,
        overwrite=overwrite,
    )
    settings.check_destination()
    generator = load_generator(network, device, check=settings.check_model)
    with progress_bar() as progress:
        made = write_sweeps(generator, settings, progress)
    for path in made:
        click.echo(printable(f"made {path}"))
