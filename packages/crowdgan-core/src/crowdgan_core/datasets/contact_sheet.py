"""Contact sheet of a dataset: sample images of each class."""

from __future__ import annotations

from PIL import Image, ImageDraw

from crowdgan_core.datasets.inspection import class_name
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.utils.sampling import evenly_spaced

CELL_PX = 128
"""Longer side of a sample image."""

CAPTION_HEIGHT_PX = 16
"""Height of a line of text."""

MARGIN_PX = 6
"""Width of the margins around sample images."""

TEXT_RGB, BACKGROUND_RGB = (30, 30, 30), (250, 250, 250)
"""Colours of the sheet."""


def contact_sheet(reader: DatasetReader, columns: int = 8) -> Image.Image:
    """An image with one row of evenly spaced samples per class; without classes, rows of samples of the dataset."""
    metadata = reader.metadata
    rows = _sample_rows(metadata, columns)
    height, width = reader.image(0).shape[:2] if len(reader) else (1, 1)
    scale = CELL_PX / max(height, width)
    cell_width, cell_height = max(1, round(width * scale)), max(1, round(height * scale))
    samples_height = cell_height + CAPTION_HEIGHT_PX
    heights = [CAPTION_HEIGHT_PX + (samples_height if indices else 0) + MARGIN_PX for _, indices in rows]
    sheet_size = (columns * (cell_width + MARGIN_PX) + MARGIN_PX, sum(heights) + MARGIN_PX)
    sheet = Image.new("RGB", sheet_size, BACKGROUND_RGB)
    draw = ImageDraw.Draw(sheet)
    top = MARGIN_PX
    for (title, indices), row_height in zip(rows, heights, strict=True):
        draw.text((MARGIN_PX, top), title, TEXT_RGB)
        for column, index in enumerate(indices):
            left = MARGIN_PX + column * (cell_width + MARGIN_PX)
            small = Image.fromarray(reader.image(index)).resize((cell_width, cell_height), Image.Resampling.LANCZOS)
            sheet.paste(small, (left, top + CAPTION_HEIGHT_PX))
            draw.text((left, top + CAPTION_HEIGHT_PX + cell_height), _caption(metadata.images[index]), TEXT_RGB)
        top += row_height
    return sheet


def _sample_rows(metadata: DatasetMetadata, columns: int) -> list[tuple[str, list[int]]]:
    """Title and image indices of each row."""
    by_class: dict[str, list[int]] = {name: [] for name in metadata.classes}
    for index, record in enumerate(metadata.images):
        if isinstance(record.label, int):
            by_class[class_name(metadata, record.label)].append(index)
    if not any(by_class.values()):
        samples = evenly_spaced(range(len(metadata.images)), 4 * columns)
        return [("", samples[start : start + columns]) for start in range(0, len(samples), columns)]
    return [(f"{name}: {len(indices)} images", evenly_spaced(indices, columns)) for name, indices in by_class.items()]


def _caption(record: ImageRecord) -> str:
    density = f"{record.density:.3g}" if record.density is not None else ""
    people = f"{record.person_count} p" if record.person_count is not None else ""
    return "  ".join(filter(None, (density, people)))
