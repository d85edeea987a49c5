"""True densities of images, as `crowdgan synth` writes them or as anybody may."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crowdgan_core.errors import DatasetError

MAX_BYTES = 2**30
"""Size beyond which a file is not read: the truth of 50,000 images with everybody's position."""

MOST_PER_M2 = 1000.0
"""Densities beyond this are damage, or have another unit."""


def read_ground_truth(path: Path) -> dict[str, float]:
    """True densities in persons/m², by the name of the image in its source.

    Two forms of JSON are read: an object that names each image's density,

        {"273271,c9db000d5146c15": 1.7, "frame_0011": 0.25}

    and what `crowdgan synth` writes, `{"pictures": {"<name>": {"density_per_m2": 1.7, …}, …}, …}`.

    Raises:
        DatasetError: the file cannot be read or has neither form; the message names it.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES)
        record = json.loads(data)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: not valid JSON ({error})") from error
    images = record.get("pictures", record) if isinstance(record, dict) else None
    if not isinstance(images, dict) or not images:
        raise DatasetError(f"{path}: it must be an object of image names and densities in persons/m²")
    return {name: _density(entry, f"{path}: {name}") for name, entry in images.items()}


def _density(entry: Any, where: str) -> float:
    density = entry.get("density_per_m2") if isinstance(entry, dict) else entry
    if isinstance(density, (int, float)) and not isinstance(density, bool) and 0 <= density <= MOST_PER_M2:
        return float(density)
    shown = json.dumps(density)[:40]
    raise DatasetError(f"{where}: the density is {shown}; it must be persons/m² from 0 to {MOST_PER_M2:g}")
