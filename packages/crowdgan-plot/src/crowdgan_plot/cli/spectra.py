"""`crowdgan plot spectra`: average power spectra of pictures and models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from crowdgan_core.cli.model_options import DEVICES
from crowdgan_core.cli.progress import shown_progress
from crowdgan_core.errors import ConfigError
from crowdgan_plot.cli.figures import check_target, finish, say
from crowdgan_plot.cli.options import figure_options


@click.command("spectra")
@click.option(
    "--images", multiple=True, metavar="[NAME=]DATASET", help="Pictures: a dataset, a folder or a zip; repeatable."
)
@click.option("--network", multiple=True, metavar="[NAME=]MODEL", help="A model, whose pictures are made; repeatable.")
@click.option(
    "--pictures",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Most pictures of each, evenly spread over a dataset; of a model seeds from 0.",
)
@click.option("--density", help="How crowded models' pictures are: a class or number.  [default: all classes in turn]")
@click.option("--trunc", type=float, default=1.0, show_default=True, help="Truncation psi of models' pictures.")
@click.option("--batch", type=click.IntRange(min=1), default=8, show_default=True, help="Pictures made at once.")
@click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True, help="Where models compute.")
@figure_options("spectra.png")
def command(
    images: tuple[str, ...],
    network: tuple[str, ...],
    pictures: int,
    density: str | None,
    trunc: float,
    batch: int,
    device: str,
    out: Path,
    title: str | None,
    show: bool,
    overwrite: bool,
) -> None:
    """Draw average power spectra of real and generated pictures: a heat map each, and slices of all together.

    All pictures are normalised by the mean and standard deviation of the first set, datasets before models: name the
    real pictures first. They must have one size.

    \b
    Examples:
      crowdgan plot spectra --images crowds.zip
      crowdgan plot spectra --images real=crowds.zip --network T=t.safetensors --network R=r.safetensors --out ts.pdf
      crowdgan plot spectra --images crowds.zip --network model.safetensors --density dense --pictures 1000
    """
    if not images and not network:
        raise ConfigError("nothing to draw: name pictures by --images, or a model by --network")
    check_target(out, show=show, overwrite=overwrite)
    from crowdgan_core.generation.batches import Rendering
    from crowdgan_plot.picture_sets import GeneratedPictures, PictureSet, StoredPictures, mean_of
    from crowdgan_plot.spectra import compared, draw_spectra, spectra_figure

    rendering = Rendering(truncation_psi=trunc, batch_size=batch)
    sets: list[PictureSet] = [StoredPictures(name=name, path=path) for name, path in _named(images)]
    sets += [
        GeneratedPictures(name=name, path=path, density=density, rendering=rendering, device=device)
        for name, path in _named(network)
    ]
    with shown_progress() as progress:
        means = [mean_of(item, pictures, progress) for item in sets]
    spectra, reference = compared([item.name for item in sets], means)
    say([f"normalised by {sets[0].name}: mean {reference.mean:.4g}, standard deviation {reference.std:.4g} of 255"])
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
