"""Writes made-up crowds in the form in which CrowdHuman is downloaded, with the truth beside it."""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.archive import FIXED_TIME
from crowdgan_core.io.atomic import atomic_path, check_overwrite, wrap_os_errors
from crowdgan_core.io.images import FOCAL_LENGTH_35MM
from crowdgan_core.synthetic.annotations import annotate
from crowdgan_core.synthetic.render.renderer import draw_world
from crowdgan_core.synthetic.world.world import random_world
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.parallel import parallel_map
from crowdgan_core.utils.progress import NullProgress, Progress

ARCHIVE, ANNOTATIONS, TRUTH = "CrowdHuman_train01.zip", "annotation_train.odgt", "truth.json"
"""Names of the files: the first two as CrowdHuman's, the last ours."""

TRUTH_FORMAT = 1
"""Version of the form of `truth.json`."""

ID_PREFIX = "900000,"
"""Starts made-up image names; CrowdHuman's own start with 27 or 28."""

JPEG_QUALITY = 90
"""Pillow's scale; a good camera's."""

EXIF_IFD = 0x8769
"""EXIF tag: pointer to the Exif block."""

GOLDEN = (math.sqrt(5) - 1) / 2
"""Step on the unit interval that spreads any number of points evenly (Weyl sequence)."""

MIN_SIDE_PX, MAX_SIDE_PX = 64, 8192
DENSITY_LIMITS = (0.01, 6.0)
"""Densities in persons/m² that can be made: from one on a small square to where bodies touch."""

MAX_PEOPLE = 5000


@dataclass(frozen=True, kw_only=True)
class SyntheticConfig:
    """What to make.

    Raises:
        ConfigError: a setting out of its range.
    """

    images: int
    """Number of images, at least 1."""

    size: tuple[int, int] = (480, 640)
    """(height, width) of the images in pixels."""

    seed: int = 0
    """The same seed and settings give the same files; an image does not depend on how many there are."""

    workers: int = 1
    """Processes; the result does not depend on it."""

    density: tuple[float, float] = (0.08, 4.0)
    """Lowest and highest density in persons/m²; images are spread evenly between them on a log scale."""

    max_people: int = 200
    """Persons in the largest crowd; dense crowds occupy less ground for it."""

    def __post_init__(self) -> None:
        _check("images", self.images, 1, math.inf)
        for name, side in zip(("height", "width"), self.size, strict=True):
            _check(f"size: {name}", side, MIN_SIDE_PX, MAX_SIDE_PX)
        _check("seed", self.seed, 0, math.inf)
        _check("workers", self.workers, 1, math.inf)
        _check("max_people", self.max_people, 1, MAX_PEOPLE)
        for density in self.density:
            _check("density", density, *DENSITY_LIMITS)
        if self.density[0] > self.density[1]:
            raise ConfigError(f"density is {self.density}; the first, the lowest, must not exceed the second")


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        limits = f"at least {low}" if high == math.inf else f"from {low} to {high}"
        raise ConfigError(f"{name} is {value}; it must be {limits}")


@dataclass(frozen=True, kw_only=True, eq=False)
class RenderedImage:
    """One made image with what is known of it."""

    image_id: str
    jpeg: bytes
    record: dict[str, Any]
    """CrowdHuman's record."""

    truth: dict[str, Any]
    """Its entry in `truth.json`."""


def write_synthetic_dataset(
    settings: SyntheticConfig,
    dest: Path,
    progress: Progress | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Makes images and writes them to the folder `dest`, which appears whole or not at all.

    `CrowdHuman_train01.zip` holds `Images/<ID>.jpg`, `annotation_train.odgt` a record per line (see `annotations`), and
    `truth.json` what no annotator knows:

        {"format": 1, "seed": 0, "pictures": {"<ID>": {
            "camera": {"height_m", "pitch_deg", "focal_length_px", "focal_length_35mm", "size": [height, width]},
            "people": [{"x_m", "y_m", "height_m", "box_id"}, …],
            "region_m": [[x, y], …], "area_m2", "density_per_m2"}}}

    Camera and ground coordinates are those of `crowdgan_core.camera`. `region_m` is the ground that the crowd occupies,
    a convex polygon, and `area_m2` its area; `people` are all who stand in it, seen or not, and `density_per_m2` is
    their number over the area. Positions in it are random but for a distance that everybody keeps. The region goes
    beyond what the image shows: a little at the sides, and below, where heads are in the image but feet are not.
    `box_id` is `extra.box_id` of the person's record, null for those who are hidden or outside the image. Masked
    groups and statues are no people.

    Args:
        settings: what to make.
        dest: the folder; it must not exist or be empty.
        progress: told of each image.
        overwrite: whether a folder with an earlier download, and nothing else, is replaced.

    Raises:
        DatasetError: `dest` is taken or cannot be written.
    """
    _refuse_taken(dest, overwrite=overwrite)
    progress = progress or NullProgress()
    progress.start("making images", settings.images)
    with ExitStack() as stack:
        folder = stack.enter_context(atomic_path(dest, overwrite=dest.is_dir()))
        stack.enter_context(wrap_os_errors(dest))
        folder.mkdir()
        archive = stack.enter_context(zipfile.ZipFile(folder / ARCHIVE, "w", zipfile.ZIP_STORED))
        odgt = stack.enter_context((folder / ANNOTATIONS).open("w", encoding="utf-8", newline="\n"))
        add_truth = stack.enter_context(_truth_file(folder / TRUTH, settings.seed))
        made = _made_images(settings)
        stack.callback(made.close)
        for image in made:
            _add_entry(archive, f"Images/{image.image_id}.jpg", image.jpeg)
            odgt.write(json.dumps(image.record) + "\n")
            add_truth(image.image_id, image.truth)
            progress.advance()


def render_image(settings: SyntheticConfig, index: int) -> RenderedImage:
    """The image with this index, by a random generator of its own."""
    rng = np.random.default_rng([settings.seed, index])
    world = random_world(rng, size=settings.size, density=_density(settings, index), max_people=settings.max_people)
    drawing = draw_world(rng, world)
    image_id = ID_PREFIX + hashlib.sha256(f"{settings.seed}:{index}".encode()).hexdigest()[:16]
    record, truth = annotate(drawing, world, image_id)
    jpeg = encode_jpeg(drawing.pixels, world.focal_35mm)
    return RenderedImage(image_id=image_id, jpeg=jpeg, record=record, truth=truth)


def encode_jpeg(pixels: ImageArray, focal_35mm: int) -> bytes:
    """The JPEG file of `[height, width, 3]` uint8 pixels; its EXIF holds `FocalLengthIn35mmFilm` in mm alone."""
    exif = Image.Exif()
    exif[EXIF_IFD] = {FOCAL_LENGTH_35MM: focal_35mm}
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY, exif=exif.tobytes())
    return file.getvalue()


def _density(settings: SyntheticConfig, index: int) -> float:
    """Density of an image in persons/m²: log-uniform, spread evenly over any run of images."""
    start = np.random.default_rng(settings.seed).random()
    low, high = settings.density
    return float(low * (high / low) ** ((start + index * GOLDEN) % 1))


def _made_images(settings: SyntheticConfig) -> Generator[RenderedImage, None, None]:
    """All images in order, by `settings.workers` processes."""
    yield from parallel_map(partial(render_image, settings), range(settings.images), workers=settings.workers)


def _refuse_taken(dest: Path, *, overwrite: bool) -> None:
    """Checks that `dest` does not exist, is empty, or holds an earlier download only and may be overwritten."""
    if not dest.is_dir():
        check_overwrite(dest, overwrite=False)
        return
    found = {path.name for path in dest.iterdir()}
    foreign = sorted(found - {ARCHIVE, ANNOTATIONS, TRUTH})
    if foreign:
        raise DatasetError(f"{dest}: the folder holds {foreign[0]!r}; it must be new, empty, or an earlier download")
    if found:
        check_overwrite(dest, overwrite=overwrite)


@contextmanager
def _truth_file(path: Path, seed: int) -> Iterator[Callable[[str, dict[str, Any]], None]]:
    """Writes `truth.json` image by image, a line each; gives the function that adds one."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f'{{"format": {TRUTH_FORMAT}, "seed": {seed}, "pictures": {{')
        separators = iter(["\n"])
        yield lambda image_id, truth: _write_member(file, next(separators, ",\n"), image_id, truth)
        file.write("\n}}\n")


def _write_member(file: IO[str], separator: str, key: str, value: dict[str, Any]) -> None:
    file.write(f"{separator}{json.dumps(key)}: {json.dumps(value)}")


def _add_entry(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, FIXED_TIME)
    info.create_system, info.external_attr = 3, 0o644 << 16  # Unix, whatever the system, for the same bytes everywhere
    archive.writestr(info, data)
