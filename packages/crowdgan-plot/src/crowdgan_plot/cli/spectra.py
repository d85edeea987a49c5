"""`crowdgan plot spectra`: average power spectra of images and models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crowdgan_core.cli.common.dataclass_options import options_from
from crowdgan_core.cli.common.model_options import device_option
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.errors import ConfigError
from crowdgan_core.models.generation.generation import GenerationOptions
from crowdgan_plot.cli.figures import check_target, echo_note, save_or_show
from crowdgan_plot.cli.options import figure_options

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crowdgan_plot.spectra.image_sets import ImageSet


@click.command("spectra")
@click.option(
    "--images", multiple=True, metavar="[NAME=]DATASET", help="Dataset, folder or ZIP of images (repeatable)."
)
@click.option("--network", multiple=True, metavar="[NAME=]MODEL", help="Model to sample from (repeatable).")
@click.option(
    "--pictures",
    "max_images",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Maximum number of images per set.",
)
@click.option("--density", help="Class or density of generated images.  [default: all classes]")
@click.option(
    "--trunc",
    "truncation_psi",
    type=float,
    default=GenerationOptions.truncation_psi,
    show_default=True,
    help="Truncation psi of generated images.",
)
@options_from(GenerationOptions, "batch_size")
@device_option
@figure_options("spectra.png")
def command(
    batch: GenerationOptions,
    images: tuple[str, ...],
    network: tuple[str, ...],
    max_images: int,
    density: str | None,
    truncation_psi: float,
    device: str,
    out: Path,
    title: str | None,
    show: bool,
    overwrite: bool,
) -> None:
    """Plot average power spectra of real and generated images.

    Each set of images gives a heatmap, and slices of all sets are overlaid. All images are normalised by the mean and
    standard deviation of the first set, datasets before models, and must have one size.

    \b
    Examples:
      crowdgan plot spectra --images crowds.zip
      crowdgan plot spectra --images real=crowds.zip --network T=t.safetensors --network R=r.safetensors --out ts.pdf
      crowdgan plot spectra --images crowds.zip --network model.safetensors --density dense --pictures 1000
    """
    if not images and not network:
        raise ConfigError("nothing to plot; name images with --images, or a model with --network")
    check_target(out, show=show, overwrite=overwrite)
    from crowdgan_plot.spectra.image_sets import GeneratedImages, StoredImages
    from crowdgan_plot.spectra.spectra_figure import plot_spectra

    options = GenerationOptions(truncation_psi=truncation_psi, batch_size=batch.batch_size)
    image_sets: list[ImageSet] = [StoredImages(name=name, path=path) for name, path in _parse_names(images)]
    image_sets += [
        GeneratedImages(name=name, path=path, density=density, options=options, device=device)
        for name, path in _parse_names(network)
    ]

    def plot(figure: Figure | None) -> Figure:
        with progress_bar() as progress:
            return plot_spectra(
                image_sets, max_images, title=title, figure=figure, progress=progress, on_note=echo_note
            )

    save_or_show(plot, out, show=show, overwrite=overwrite)


def _parse_names(texts: Sequence[str]) -> list[tuple[str, Path]]:
    """Name and path of each text `NAME=PATH`; the name of a path alone is its file name without suffix."""
    named_paths = []
    for text in texts:
        name, sign, path = text.partition("=")
        has_name = bool(sign and name) and "://" not in name and not Path(text).exists()
        named_paths.append((name, Path(path)) if has_name else (Path(text).stem, Path(text)))
    return named_paths
