"""What is in a dataset: sizes, classes and their balance, pictures near a class border, a contact sheet."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from crowdgan_core.dataset import DatasetMetadata, DatasetReader, PictureRecord
from crowdgan_core.spreading import evenly_spread

DOUBTFUL_SHARE = 0.05
"""A picture is doubtful when its density is nearer to a border than this share of the interquartile range of all."""

CELL_PX = 128
"""Longer side of a picture on the contact sheet."""

CAPTION_PX = 16
"""Height of a line of text on the contact sheet."""

MARGIN_PX = 6

INK, PAPER = (30, 30, 30), (250, 250, 250)


@dataclass(frozen=True, kw_only=True)
class Border:
    """The border between two neighbouring classes, as the densities in the dataset show it."""

    below: str
    above: str
    value: float
    """Middle between the highest density below and the lowest above."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `crowdgan inspect` says of a dataset."""

    size: tuple[int, int] | None
    """`(height, width)` of the pictures; None in an empty dataset."""
    picture_count: int
    class_counts: dict[str, int]
    density_range: tuple[float, float, float] | None
    """Lowest, median and highest density."""
    person_range: tuple[int, float, int] | None
    """Lowest, median and highest number of persons."""
    unknown_count: int
    """Pictures without a density, in a dataset with densities."""
    borders: tuple[Border, ...]
    doubtful: tuple[PictureRecord, ...]
    """Pictures near a class border, the nearest first."""


def inspect_dataset(reader: DatasetReader) -> Report:
    """The report on an open dataset; reads one picture."""
    metadata = reader.metadata
    densities = [record.density for record in metadata.pictures if record.density is not None]
    persons = [record.person_count for record in metadata.pictures if record.person_count is not None]
    borders = class_borders(metadata)
    has_densities = metadata.estimator is not None
    return Report(
        size=reader.image(0).shape[:2] if len(reader) else None,
        picture_count=len(reader),
        class_counts=class_counts(metadata),
        density_range=(min(densities), statistics.median(densities), max(densities)) if densities else None,
        person_range=(min(persons), statistics.median(persons), max(persons)) if persons else None,
        unknown_count=len(reader) - len(densities) if has_densities else 0,
        borders=borders,
        doubtful=doubtful_pictures(metadata, borders),
    )


def class_counts(metadata: DatasetMetadata) -> dict[str, int]:
    """Pictures per class, classes without pictures included."""
    counts = dict.fromkeys(metadata.classes, 0)
    for record in metadata.pictures:
        if isinstance(record.label, int):
            name = class_name(metadata, record.label)
            counts[name] = counts.get(name, 0) + 1
    return counts


def class_name(metadata: DatasetMetadata, label: int) -> str:
    """Name of a class; its number where it has none."""
    return metadata.classes[label] if label < len(metadata.classes) else str(label)


def class_borders(metadata: DatasetMetadata) -> tuple[Border, ...]:
    """Borders between neighbouring classes that do not overlap in density."""
    by_class: dict[int, list[float]] = {}
    for record in metadata.pictures:
        if isinstance(record.label, int) and record.density is not None:
            by_class.setdefault(record.label, []).append(record.density)
    present = sorted(by_class)
    borders = []
    for low, high in itertools.pairwise(present):
        highest, lowest = max(by_class[low]), min(by_class[high])
        if highest <= lowest:
            middle = (highest + lowest) / 2
            borders.append(Border(below=class_name(metadata, low), above=class_name(metadata, high), value=middle))
    return tuple(borders)


def doubtful_pictures(metadata: DatasetMetadata, borders: Sequence[Border]) -> tuple[PictureRecord, ...]:
    """Pictures whose class a small error of the density would change, the nearest to a border first."""
    known = [record for record in metadata.pictures if record.density is not None]
    if not borders or len(known) < 2:
        return ()
    values = np.array([record.density for record in known], float)
    distances = np.abs(values[:, None] - [border.value for border in borders]).min(axis=1)
    low, high = np.quantile(values, [0.25, 0.75])
    near = np.flatnonzero(distances <= DOUBTFUL_SHARE * (high - low))
    return tuple(known[index] for index in near[np.argsort(distances[near], kind="stable")])


def contact_sheet(reader: DatasetReader, columns: int = 8) -> Image.Image:
    """A picture with one row of samples per class, evenly spread over the dataset; rows of all for one without."""
    metadata = reader.metadata
    rows = _sample_rows(metadata, columns)
    height, width = reader.image(0).shape[:2] if len(reader) else (1, 1)
    scale = CELL_PX / max(height, width)
    cell_width, cell_height = max(1, round(width * scale)), max(1, round(height * scale))
    heights = [CAPTION_PX + (cell_height + CAPTION_PX if indices else 0) + MARGIN_PX for _, indices in rows]
    sheet = Image.new("RGB", (columns * (cell_width + MARGIN_PX) + MARGIN_PX, sum(heights) + MARGIN_PX), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = MARGIN_PX
    for (title, indices), row_height in zip(rows, heights, strict=True):
        draw.text((MARGIN_PX, top), title, INK)
        for column, index in enumerate(indices):
            left = MARGIN_PX + column * (cell_width + MARGIN_PX)
            small = Image.fromarray(reader.image(index)).resize((cell_width, cell_height), Image.Resampling.LANCZOS)
            sheet.paste(small, (left, top + CAPTION_PX))
            draw.text((left, top + CAPTION_PX + cell_height), _caption(metadata.pictures[index]), INK)
        top += row_height
    return sheet


def _sample_rows(metadata: DatasetMetadata, columns: int) -> list[tuple[str, list[int]]]:
    """Titles and picture numbers of the rows."""
    by_class: dict[str, list[int]] = {name: [] for name in metadata.classes}
    for index, record in enumerate(metadata.pictures):
        if isinstance(record.label, int):
            by_class[class_name(metadata, record.label)].append(index)
    if not any(by_class.values()):
        chosen = evenly_spread(range(len(metadata.pictures)), 4 * columns)
        return [("", chosen[start : start + columns]) for start in range(0, len(chosen), columns)]
    return [(f"{name}: {len(found)} pictures", evenly_spread(found, columns)) for name, found in by_class.items()]


def _caption(record: PictureRecord) -> str:
    density = f"{record.density:.3g}" if record.density is not None else ""
    persons = f"{record.person_count} p" if record.person_count is not None else ""
    return "  ".join(filter(None, (density, persons)))
