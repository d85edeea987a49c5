"""Ground-truth densities of images, from `crowdgan synth` or another source."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.names import canonical_name
from crowdgan_core.io.storage import without_image_suffix
from crowdgan_core.io.text_files import TextFile, read_csv
from crowdgan_core.sources.annotation_files.columns import IMAGE_COLUMNS, ColumnHeader
from crowdgan_core.sources.annotation_files.table_detection import CSV_SUFFIXES
from crowdgan_core.sources.annotation_files.table_rows import decimal_comma_number, text_number

MAX_FILE_BYTES = 2**30
"""Maximum number of bytes read from a file; ground truth of 50,000 images with all positions is smaller."""

MAX_DENSITY_PER_M2 = 1000.0
"""Density in persons/m² above which a value is invalid, or has another unit."""

MAX_VALUE_CHARACTERS = 40
"""Maximum length of an invalid value in an error message."""


DENSITY_COLUMNS = ("density_per_m2", "persons_per_m2", "people_per_m2", "persons/m2", "persons/m²", "density")
"""Accepted names of the column of densities in a table, in lower case; all are in persons/m²."""


def read_ground_truth(path: Path | str) -> dict[str, float]:
    """Ground-truth densities in persons/m², by the name of the image in its source.

    Two forms of JSON are read: an object of image names and densities,

        {"273271,c9db000d5146c15": 1.7, "frame_0011": 0.25}

    and the file `truth.json` of `crowdgan synth`, `{"pictures": {"<name>": {"density_per_m2": 1.7, …}, …}, …}`. A CSV
    file (`.csv` or `.tsv`) has one row per image, with a column of `IMAGE_COLUMNS` and one of `DENSITY_COLUMNS`; images
    with an empty density are skipped.

    Raises:
        DatasetError: the file cannot be read or has another form; the message names it, and the line of a table.
    """
    file = TextFile.at(Path(path))
    if Path(path).suffix.lower() in CSV_SUFFIXES:
        return _read_table(file)
    content = file.json(MAX_FILE_BYTES)
    images = content.get("pictures", content) if isinstance(content, dict) else None
    if not isinstance(images, dict) or not images:
        raise DatasetError(f"{path}: it must be a JSON object of image names and densities in persons/m²")
    return {name: _read_density(entry, f"{path}: {name}") for name, entry in images.items()}


class GroundTruthIndex:
    """Ground truth by the names of images: the same name, or the same without the suffix of an image file.

    A name without suffix matches only if it belongs to one image of the ground truth.

    Args:
        ground_truth: image name to density in persons/m².
    """

    def __init__(self, ground_truth: Mapping[str, float]) -> None:
        self._by_name = {canonical_name(name): density for name, density in ground_truth.items()}
        counts = Counter(map(without_image_suffix, self._by_name))
        stems = {name: without_image_suffix(name) for name in self._by_name}
        self._by_stem = {stem: self._by_name[name] for name, stem in stems.items() if counts[stem] == 1}

    def density_per_m2(self, name: str) -> float | None:
        """The density of an image in persons/m²; None if it is unknown."""
        name = canonical_name(name)
        return self._by_name.get(name, self._by_stem.get(without_image_suffix(name)))


def _read_table(file: TextFile) -> dict[str, float]:
    table = read_csv(file)
    header = ColumnHeader(table.names, f"{file.where}:1", f"{', '.join(IMAGE_COLUMNS)}; {', '.join(DENSITY_COLUMNS)}")
    image, density = header.find(IMAGE_COLUMNS, "image"), header.find(DENSITY_COLUMNS, "density")
    if image is None or density is None:
        raise header.error("no column of images" if image is None else "no column of densities in persons/m²")
    parse = decimal_comma_number if table.decimal_comma else text_number
    densities: dict[str, float] = {}
    lines: dict[str, int] = {}
    for number, cells in table.rows:
        where = f"{file.where}:{number}"
        if len(cells) != len(table.names):
            raise DatasetError(f"{where}: {len(cells)} cells; the header has {len(table.names)} columns")
        name = cells[image].strip()
        if not name:
            raise DatasetError(f"{where}: the image is empty; it must be the name of an image")
        if lines.setdefault(canonical_name(name), number) != number:
            raise DatasetError(f"{where}: image {name} is repeated, first in line {lines[canonical_name(name)]}")
        try:
            value: object = parse(cells[density])
        except ValueError:
            value = cells[density]
        if value is not None:
            densities[name] = _read_density(value, f"{where}: {name}")
    if not densities:
        raise DatasetError(f"{file.where}: no densities; there must be one row per image below the header")
    return densities


def _read_density(entry: Any, where: str) -> float:
    density = entry.get("density_per_m2") if isinstance(entry, dict) else entry
    if isinstance(density, (int, float)) and not isinstance(density, bool) and 0 <= density <= MAX_DENSITY_PER_M2:
        return float(density)
    value = json.dumps(density)[:MAX_VALUE_CHARACTERS]
    raise DatasetError(f"{where}: the density is {value}; it must be persons/m² from 0 to {MAX_DENSITY_PER_M2:g}")
