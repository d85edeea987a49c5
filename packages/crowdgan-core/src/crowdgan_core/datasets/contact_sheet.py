"""What is in a dataset: sizes, classes and their balance, images near a class border, a contact sheet."""

from __future__ import annotations

from PIL import Image, ImageDraw

from crowdgan_core.datasets.inspection import class_name
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.utils.sampling import evenly_spaced

CELL_PX = 128
"""Longer side of an image on the contact sheet."""


CAPTION_PX = 16
"""Height of a line of text on the contact sheet."""


MARGIN_PX = 6


INK, PAPER = (30, 30, 30), (250, 250, 250)


def contact_sheet(reader: DatasetReader, columns: int = 8) -> Image.Image:
    """An image with one row of samples per class, evenly spread over the dataset; rows of all for one without."""
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
            draw.text((left, top + CAPTION_PX + cell_height), _caption(metadata.images[index]), INK)
        top += row_height
    return sheet


def _sample_rows(metadata: DatasetMetadata, columns: int) -> list[tuple[str, list[int]]]:
    """Titles and image numbers of the rows."""
    by_class: dict[str, list[int]] = {name: [] for name in metadata.classes}
    for index, record in enumerate(metadata.images):
        if isinstance(record.label, int):
            by_class[class_name(metadata, record.label)].append(index)
    if not any(by_class.values()):
        chosen = evenly_spaced(range(len(metadata.images)), 4 * columns)
        return [("", chosen[start : start + columns]) for start in range(0, len(chosen), columns)]
    return [(f"{name}: {len(found)} images", evenly_spaced(found, columns)) for name, found in by_class.items()]


def _caption(record: ImageRecord) -> str:
    density = f"{record.density:.3g}" if record.density is not None else ""
    persons = f"{record.person_count} p" if record.person_count is not None else ""
    return "  ".join(filter(None, (density, persons)))
