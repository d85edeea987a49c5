"""Previews of the sample grids of a run, and its options as rows of text."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.images import to_upright_rgb
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_core.io.stored_images import ImageFile
from crowdgan_core.models.generation.png_metadata import read_png_metadata

MAX_PREVIEW_SIZE = (768, 1280)
"""Maximum height and width of a preview in pixels."""

JPEG_QUALITY = 88


@dataclass(frozen=True, kw_only=True)
class SampleGridFile:
    """A sample grid on disk."""

    label: str
    """Training progress, for example `100 kimg`."""
    path: Path


@dataclass(frozen=True, kw_only=True)
class GridPreview:
    """A part of a sample grid as a JPEG file."""

    label: str
    jpeg: bytes
    size: tuple[int, int]
    """`(height, width)` in pixels."""


def flatten_options(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Names and values of nested options as text, with dotted names: `loss_kwargs.r1_gamma`."""
    for name, value in options.items():
        if isinstance(value, dict) and value:
            yield from flatten_options(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def list_sample_grids(run: RunFolder) -> tuple[list[SampleGridFile], list[SampleGridFile]]:
    """The grid of real images, if it exists, and the grids of generated images in order of training."""
    reals = [SampleGridFile(label="real images", path=run.reals_path)] if run.reals_path.is_file() else []
    fakes = [
        SampleGridFile(label="before training" if kimg is None else f"{kimg:,.6g} kimg", path=path)
        for kimg, path in run.sample_grids()
    ]
    return reals, fakes


def read_row_names(grid: SampleGridFile) -> list[str]:
    """Names of the rows of a grid, from the metadata of the file; empty without metadata."""
    try:
        rows = read_png_metadata(grid.path).get("rows", [])
    except DatasetError:
        return []
    return [str(name) for name in rows] if isinstance(rows, list) else []


def read_preview(grid: SampleGridFile, image_size: tuple[int, int] | None) -> GridPreview:
    """The upper left part of a grid, cut between images if their size is known; otherwise the grid downscaled.

    Raises:
        DatasetError: the file is damaged.
    """
    file = ImageFile(grid.path)
    image = to_upright_rgb(file.open(), file.where)
    max_height, max_width = MAX_PREVIEW_SIZE
    if image_size is not None and image.height % image_size[0] == 0 and image.width % image_size[1] == 0:
        rows, columns = max(1, max_height // image_size[0]), max(1, max_width // image_size[1])
        image = image.crop((0, 0, min(image.width, columns * image_size[1]), min(image.height, rows * image_size[0])))
    image.thumbnail((max_width, max_height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return GridPreview(label=grid.label, jpeg=buffer.getvalue(), size=(image.height, image.width))
