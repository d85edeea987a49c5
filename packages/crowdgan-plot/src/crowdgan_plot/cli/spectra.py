"""`crowdgan plot spectra`: average power spectra of images and models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from crowdgan_core.cli.common.model_options import DEVICES
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.errors import ConfigError
from crowdgan_plot.cli.figures import check_target, echo_notes, finish
from crowdgan_plot.cli.options import figure_options


@click.command("spectra")
@click.option(
    "--images", multiple=True, metavar="[NAME=]DATASET", help="Images: a dataset, a folder or a zip; repeatable."
)
@click.option("--network", multiple=True, metavar="[NAME=]MODEL", help="A model, whose images are made; repeatable.")
@click.option(
    "--pictures",
    "max_images",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Most images of each, evenly spread over a dataset; of a model seeds from 0.",
)
@click.option("--density", help="How crowded models' images are: a class or number.  [default: all classes in turn]")
@click.option("--trunc", type=float, default=1.0, show_default=True, help="Truncation psi of models' images.")
@click.option("--batch", type=click.IntRange(min=1), default=8, show_default=True, help="Images made at once.")
@click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True, help="Where models compute.")
@figure_options("spectra.png")
def command(
    images: tuple[str, ...],
    network: tuple[str, ...],
    max_images: int,
    density: str | None,
    trunc: float,
    batch: int,
    device: str,
    out: Path,
    title: str | None,
    show: bool,
    overwrite: bool,
) -> None:
    """Draw average power spectra of real and generated images: a heat map each, and slices of all together.

    All images are normalised by the mean and standard deviation of the first set, datasets before models: name the
    real images first. They must have one size.

    \b
    Examples:
      crowdgan plot spectra --images crowds.zip
      crowdgan plot spectra --images real=crowds.zip --network T=t.safetensors --network R=r.safetensors --out ts.pdf
      crowdgan plot spectra --images crowds.zip --network model.safetensors --density dense --pictures 1000
    """
    if not images and not network:
        raise ConfigError("nothing to draw: name images by --images, or a model by --network")
    check_target(out, show=show, overwrite=overwrite)
    from crowdgan_core.models.generation.generation import GenerationOptions
    from crowdgan_plot.spectra.image_sets import GeneratedImages, ImageSet, StoredImages, mean_spectrum
    from crowdgan_plot.spectra.spectra_figure import draw_spectra, normalise_spectra, spectra_figure

    rendering = GenerationOptions(truncation_psi=trunc, batch_size=batch)
    sets: list[ImageSet] = [StoredImages(name=name, path=path) for name, path in _named(images)]
    sets += [
        GeneratedImages(name=name, path=path, density=density, rendering=rendering, device=device)
        for name, path in _named(network)
    ]
    with progress_bar() as progress:
        means = [mean_spectrum(item, max_images, progress) for item in sets]
    spectra, reference = normalise_spectra([item.name for item in sets], means)
    echo_notes(
        [f"normalised by {sets[0].name}: mean {reference.mean:.4g}, standard deviation {reference.std:.4g} of 255"]
    )
    empty = spectra_figure(len(spectra))
    finish(lambda figure: draw_spectra(figure, spectra, title), lambda: empty, out, show=show, overwrite=overwrite)


def _named(texts: Sequence[str]) -> list[tuple[str, Path]]:
    """Name and path of each text: `NAME=PATH`, or a path alone, whose own name then is taken."""
    found = []
    for text in texts:
        name, sign, path = text.partition("=")
        is_named = bool(sign and name) and not Path(text).exists()
        found.append((name, Path(path)) if is_named else (Path(text).stem, Path(text)))
    return found
