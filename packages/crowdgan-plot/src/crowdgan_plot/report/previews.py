"""What the folder of a training run holds besides its statistics: settings, and grids of samples."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.codec import loads_strict
from crowdgan_core.io.images import to_upright_rgb
from crowdgan_core.io.stored_images import ImageFile
from crowdgan_core.models.generation.png_metadata import read_png_metadata

OPTIONS = "training_options.json"

MAX_OPTIONS_BYTES = 2**20
"""Size above which a file of settings is none."""

REALS, FIRST_FAKES = "reals.png", "fakes_init.png"

SNAPSHOT = re.compile(r"fakes(\d+)\.png")
"""Name of the samples of a snapshot; the number is the length of the training in kimg."""

SHOWN_SIZE = (768, 1280)
"""Most rows and columns of pixels of a grid that are shown."""

JPEG_QUALITY = 88


@dataclass(frozen=True, kw_only=True)
class SampleGridFile:
    """A grid of samples, and when it was made."""

    label: str
    """For example `100 kimg`."""
    path: Path


@dataclass(frozen=True, kw_only=True)
class GridPreview:
    """A part of a grid that is small enough to be shown, as a file."""

    label: str
    jpeg: bytes
    size: tuple[int, int]
    """`(height, width)` in pixels."""


def read_options(run: Path) -> dict[str, Any]:
    """The settings of a run; empty where it holds none.

    Raises:
        DatasetError: the file holds no JSON object.
    """
    path = run / OPTIONS
    if not path.is_file():
        return {}
    try:
        options = loads_strict(path.read_bytes()[:MAX_OPTIONS_BYTES])
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: no settings can be read ({error})") from error
    if not isinstance(options, dict):
        raise DatasetError(f"{path}: it holds {type(options).__name__}; it must be a JSON object")
    return options


def flatten_options(options: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, str]]:
    """Names and values of settings as text, those inside others with dots: `loss_kwargs.r1_gamma`."""
    for name, value in options.items():
        if isinstance(value, dict) and value:
            yield from flatten_options(value, f"{start}{name}.")
        else:
            yield f"{start}{name}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def sample_grids(run: Path) -> tuple[SampleGridFile | None, list[SampleGridFile]]:
    """The grid of real images, and those of generated ones in the order of the training."""
    found = [(int(match[1]), path) for path in run.glob("fakes*.png") if (match := SNAPSHOT.fullmatch(path.name))]
    fakes = [SampleGridFile(label=f"{kimg:,} kimg", path=path) for kimg, path in sorted(found)]
    if (run / FIRST_FAKES).is_file():
        fakes.insert(0, SampleGridFile(label="before the training", path=run / FIRST_FAKES))
    reals = SampleGridFile(label="real images", path=run / REALS) if (run / REALS).is_file() else None
    return reals, fakes


def tile_size(options: Mapping[str, Any]) -> tuple[int, int] | None:
    """`(height, width)` of the images in a run's grids, as its settings tell, ours or the official trainer's."""
    own = options.get("training")
    for holder in (
        own.get("generator") if isinstance(own, dict) else None,
        options.get("training_set_kwargs"),
        options,
    ):
        resolution = holder.get("resolution") if isinstance(holder, dict) else None
        sides = resolution if isinstance(resolution, list) else [resolution, resolution]
        whole = [side for side in sides if isinstance(side, int) and side > 0]
        if len(whole) == len(sides) == 2:
            return whole[0], whole[1]
    return None


def row_names(grid: SampleGridFile) -> list[str]:
    """What the rows of a grid show, as its file says; empty where it does not."""
    try:
        rows = read_png_metadata(grid.path).get("rows", [])
    except DatasetError:
        return []
    return [str(name) for name in rows] if isinstance(rows, list) else []


def shown_grid(grid: SampleGridFile, tile: tuple[int, int] | None) -> GridPreview:
    """The upper left part of a grid, in whole images where their size is known, else all of it made smaller.

    Raises:
        DatasetError: the image is damaged.
    """
    file = ImageFile(grid.path)
    image = to_upright_rgb(file.open(), file.where)
    most_height, most_width = SHOWN_SIZE
    if tile is not None and image.height % tile[0] == 0 and image.width % tile[1] == 0:
        rows, columns = (max(1, most // side) for most, side in ((most_height, tile[0]), (most_width, tile[1])))
        image = image.crop((0, 0, min(image.width, columns * tile[1]), min(image.height, rows * tile[0])))
    image.thumbnail((most_width, most_height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return GridPreview(label=grid.label, jpeg=buffer.getvalue(), size=(image.height, image.width))
