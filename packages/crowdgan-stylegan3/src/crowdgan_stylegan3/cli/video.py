"""`crowdgan stylegan3 video`: a looped video between seeds and labels."""

from __future__ import annotations

from pathlib import Path

import click

from crowdgan_core.cli.common.model_options import DEVICES, network_option
from crowdgan_core.cli.common.output import printable
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import check_overwrite
from crowdgan_core.models.card import ModelCard, read_card


@click.command("video")
@network_option
@click.option("--seeds", required=True, help="Places that the video passes: 0-7 or 1,5,9-12.")
@click.option("--density", help="How crowded: a class such as dense, or a number where that is the label.")
@click.option("--label", help="The same by number: a class from 0, or all numbers of the label, as in 0.3,0.7,0.")
@click.option("--all-classes", is_flag=True, help="Let the label change: through all classes and back at each seed.")
@click.option("--grid", metavar="COLUMNSxROWS", default="1x1", show_default=True, help="Images side by side.")
@click.option("--frames", type=int, default=60, show_default=True, help="Frames from one place to the next.")
@click.option("--fps", type=float, default=30.0, show_default=True, help="Frames per second.")
@click.option("--trunc", type=float, default=1.0, show_default=True, help="Truncation psi: below 1 more alike.")
@click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True)
@click.option(
    "--dest",
    type=click.Path(path_type=Path),
    help="Video: NAME.mp4 (needs ffmpeg), NAME.webp or NAME.gif.  [default: video.mp4, without ffmpeg video.webp]",
)
@click.option("--overwrite", is_flag=True, help="Replace the video if it exists.")
def command(
    network: Path,
    seeds: str,
    density: str | None,
    label: str | None,
    all_classes: bool,
    grid: str,
    frames: int,
    fps: float,
    trunc: float,
    device: str,
    dest: Path | None,
    overwrite: bool,
) -> None:
    """Make a video that moves smoothly from seed to seed and ends where it began.

    The path is a closed cubic spline through the intermediate latents of the seeds. With a grid, the seeds are shared
    out to its cells.

    \b
    Examples:
      crowdgan stylegan3 video --network model.safetensors --seeds 0-7 --density dense --dest dense.mp4
      crowdgan stylegan3 video --network model.safetensors --seeds 0-15 --grid 2x2 --density sparse --dest four.webp
      crowdgan stylegan3 video --network model.safetensors --seeds 3 --all-classes --dest crowding.webp
    """
    from crowdgan_core.models.generation.parsing import parse_grid, parse_seeds
    from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
    from crowdgan_stylegan3.inference.video import VideoSettings, make_video
    from crowdgan_stylegan3.inference.video_writers import default_name, writer_for
    from crowdgan_stylegan3.io.safetensors_files import load_network

    dest = dest or Path(default_name())
    check_overwrite(dest, overwrite=overwrite)
    card = read_card(network)
    settings = VideoSettings(
        dest=dest,
        seeds=parse_seeds(seeds),
        labels=_labels(card, density, label, all_classes),
        grid=parse_grid(grid),
        frames_per_step=frames,
        frames_per_s=fps,
        truncation_psi=trunc,
        overwrite=overwrite,
    )
    settings.check_size(card.resolution)
    writer_for(dest)  # fails now where ffmpeg is missing, not when the first frames are made
    generator = StyleGanImageGenerator(*load_network(network), device)
    with progress_bar() as progress:
        make_video(generator, settings, progress)
    click.echo(printable(f"made {dest}"))


def _labels(
    card: ModelCard, density: str | None, label: str | None, all_classes: bool
) -> tuple[tuple[float, ...] | None, ...]:
    """The labels that the video goes through."""
    from crowdgan_core.models.generation.conditioning import Conditioning, label_vector, one_hot

    if not all_classes:
        return (label_vector(card, Conditioning(density=density, label=label)),)
    if density is not None or label is not None:
        raise ConfigError("--all-classes goes through all labels; leave out --density and --label")
    if card.label_kind != "class":
        raise ConfigError("--all-classes needs a model whose labels are classes")
    return tuple(one_hot(card, index) for index in range(card.label_dim))
