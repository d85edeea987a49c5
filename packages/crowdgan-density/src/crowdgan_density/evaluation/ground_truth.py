"""Ground-truth densities of images, from `crowdgan synth` or another source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crowdgan_core.errors import DatasetError

MAX_FILE_BYTES = 2**30
"""Maximum number of bytes read from a file; ground truth of 50,000 images with all positions is smaller."""

MAX_DENSITY_PER_M2 = 1000.0
"""Density in persons/m² above which a value is invalid, or has another unit."""

MAX_VALUE_CHARACTERS = 40
"""Maximum length of an invalid value in an error message."""


def read_ground_truth(path: Path | str) -> dict[str, float]:
    """Ground-truth densities in persons/m², by the name of the image in its source.

    Two forms of JSON are read: an object of image names and densities,

        {"273271,c9db000d5146c15": 1.7, "frame_0011": 0.25}

    and the file `truth.json` of `crowdgan synth`, `{"pictures": {"<name>": {"density_per_m2": 1.7, …}, …}, …}`.

    Raises:
        DatasetError: the file cannot be read or has another form; the message names it.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES)
        content = json.loads(data)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: not valid JSON ({error})") from error
    images = content.get("pictures", content) if isinstance(content, dict) else None
    if not isinstance(images, dict) or not images:
        raise DatasetError(f"{path}: it must be a JSON object of image names and densities in persons/m²")
    return {name: _read_density(entry, f"{path}: {name}") for name, entry in images.items()}


def _read_density(entry: Any, where: str) -> float:
    density = entry.get("density_per_m2") if isinstance(entry, dict) else entry
    if isinstance(density, (int, float)) and not isinstance(density, bool) and 0 <= density <= MAX_DENSITY_PER_M2:
        return float(density)
    value = json.dumps(density)[:MAX_VALUE_CHARACTERS]
    raise DatasetError(f"{where}: the density is {value}; it must be persons/m² from 0 to {MAX_DENSITY_PER_M2:g}")
