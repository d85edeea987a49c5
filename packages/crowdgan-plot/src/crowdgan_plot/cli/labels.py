"""`crowdgan plot labels`: the labels of datasets."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from crowdgan_core.api import open_dataset
from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import DatasetError
from crowdgan_plot.cli.figures import check_target, finish
from crowdgan_plot.cli.options import PATH, figure_options


@click.command("labels")
@click.argument("datasets", metavar="DATASET...", type=PATH, nargs=-1, required=True)
@figure_options("labels.png")
def command(datasets: tuple[Path, ...], out: Path, title: str | None, show: bool, overwrite: bool) -> None:
    """Draw the labels of datasets: balance of the classes, distribution of the density, persons against density.

    Several datasets, labelled versions of the same images, are compared with the first one: how many images of each
    class have which class in the other, and how alike the densities rank them.

    \b
    Examples:
      crowdgan plot labels crowds.zip
      crowdgan plot labels grid.zip ground.h5 --out agreement.pdf --title "two estimators"
    """
    check_target(out, show=show, overwrite=overwrite)
    from crowdgan_plot.labels.labels_figure import NamedDataset, draw_labels, labels_figure

    metadata = [_metadata(path) for path in datasets]
    stems = [path.name for path in datasets]
    names = stems if len(set(stems)) == len(stems) else [str(path) for path in datasets]
    found = [NamedDataset(name=name, metadata=item) for name, item in zip(names, metadata, strict=True)]
    empty = labels_figure(found)
    finish(lambda figure: draw_labels(figure, found, title), lambda: empty, out, show=show, overwrite=overwrite)


def _metadata(path: Path) -> DatasetMetadata:
    if not path.exists():
        raise DatasetError(f"{path}: there is no such file or folder")
    with closing(open_dataset(path)) as reader:
        return reader.metadata
