"""`crowdgan stylegan3 video`: a looping video that interpolates between seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crowdgan_core.cli.common.dataclass_options import add_options, options_from
from crowdgan_core.cli.common.model_options import device_option, network_option
from crowdgan_core.cli.common.output import printable
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.io.atomic import check_overwrite
from crowdgan_core.models.generation.conditioning import Conditioning
from crowdgan_core.models.generation.generation import GenerationOptions
from crowdgan_core.models.pretrained import find_model
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_stylegan3.inference.video_config import VideoConfig, default_dest


@click.command("video")
@network_option
@add_options(VideoConfig)
@options_from(Conditioning)
@options_from(GenerationOptions, "truncation_psi", "truncation_mean")
@device_option
def command(
    conditioning: Conditioning,
    options: GenerationOptions,
    network: Path,
    device: str,
    dest: Path | None,
    overwrite: bool,
    **video_options: Any,
) -> None:
    """Render a looping video that interpolates between seeds.

    The path is a closed cubic spline through the intermediate latents of the seeds. In a grid, the seeds are divided
    evenly among the videos.

    \b
    Examples:
      crowdgan stylegan3 video --network model.safetensors --seeds 0-7 --density dense --dest dense.mp4
      crowdgan stylegan3 video --network model.safetensors --seeds 0-15 --grid 2x2 --density sparse --dest four.webp
      crowdgan stylegan3 video --network model.safetensors --seeds 3 --all-classes --dest crowding.webp
    """
    from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
    from crowdgan_stylegan3.inference.video import render_video
    from crowdgan_stylegan3.io.safetensors_files import load_network

    dest = dest or default_dest()
    check_overwrite(dest, overwrite=overwrite)
    generator = StyleGanImageGenerator(*load_network(find_model(network, installed_plugins())), device)
    with progress_bar() as progress:
        render_video(
            generator,
            dest,
            density=conditioning.density,
            label=conditioning.label,
            truncation_psi=options.truncation_psi,
            truncation_mean=options.truncation_mean,
            overwrite=overwrite,
            progress=progress,
            **video_options,
        )
    click.echo(printable(f"wrote {dest}"))
