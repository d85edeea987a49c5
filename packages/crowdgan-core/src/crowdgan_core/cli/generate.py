"""`crowdgan generate`: images of a trained model."""

from __future__ import annotations

from pathlib import Path

import click

from crowdgan_core.api import load_generator
from crowdgan_core.cli.common.model_options import network_option, rendering_options
from crowdgan_core.cli.common.output import printable
from crowdgan_core.cli.common.progress_bars import progress_bar


@click.command("generate")
@network_option
@click.option("--seeds", required=True, help="An image each, every seed once: 0-31 or 1,5,9-12.")
@click.option("--density", help="How crowded: a class such as dense, or a number where that is the label.")
@click.option("--label", help="The same by number: a class from 0, or all numbers of the label, as in 0.3,0.7,0.")
@click.option("--translate", metavar="X,Y", help="Move images right and down, in image widths.")
@click.option("--rotate", metavar="DEG", type=float, default=0.0, help="Turn them anticlockwise, in degrees.")
@click.option("--grid", metavar="COLUMNSxROWS", help="Write one image of them all, grid.png, instead.")
@rendering_options
def command(
    network: Path,
    seeds: str,
    density: str | None,
    label: str | None,
    translate: str | None,
    rotate: float,
    grid: str | None,
    trunc: float,
    batch: int,
    device: str,
    outdir: Path,
    overwrite: bool,
) -> None:
    """Make images with a trained model: seed0000.png and so on, or all in one grid.

    A model with labels needs --density or --label; crowdgan inspect MODEL shows what its labels mean. Each file says
    how it was made, in a text chunk of the PNG. Files that exist are kept unless --overwrite is given.

    \b
    Examples:
      crowdgan generate --network model.safetensors --seeds 0-31 --density dense --outdir out
      crowdgan generate --network model.safetensors --seeds 0-31 --density dense --trunc 0.7 --grid 8x4 --outdir out
      crowdgan generate --network model.safetensors --seeds 1,5,9-12 --label 0.3,0.7,0 --outdir out
      crowdgan generate --network model.safetensors --seeds 3 --label 2 --translate 0.2,0 --rotate 15 --outdir out
    """
    from crowdgan_core.models.generation.conditioning import Conditioning
    from crowdgan_core.models.generation.generation import GenerationOptions
    from crowdgan_core.models.generation.parsing import parse_grid, parse_pair, parse_seeds
    from crowdgan_core.models.generation.samples import SampleConfig, write_samples

    settings = SampleConfig(
        outdir=outdir,
        seeds=parse_seeds(seeds),
        model_name=network.name,
        request=Conditioning(density=density, label=label),
        rendering=GenerationOptions(
            truncation_psi=trunc,
            translate=parse_pair(translate) if translate is not None else (0.0, 0.0),
            rotate_deg=rotate,
            batch_size=batch,
        ),
        grid=parse_grid(grid) if grid is not None else None,
        overwrite=overwrite,
    )
    settings.check_destination()
    generator = load_generator(network, device, check=settings.check_model)
    with progress_bar() as progress:
        made = write_samples(generator, settings, progress)
    what = made[0] if len(made) == 1 else f"{len(made)} images in {outdir}"
    click.echo(printable(f"made {what}"))
