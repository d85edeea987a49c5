"""Writer of synthetic datasets: images and annotations in CrowdHuman's layout, with ground truth."""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.archive import FIXED_TIMESTAMP
from crowdgan_core.io.atomic import atomic_path, check_overwrite, wrap_os_errors
from crowdgan_core.io.images import FOCAL_LENGTH_35MM_TAG
from crowdgan_core.io.names import is_system_file
from crowdgan_core.io.resumable_job import check_visible, open_resumable_job
from crowdgan_core.synthetic.annotations import annotate
from crowdgan_core.synthetic.config import SyntheticConfig
from crowdgan_core.synthetic.render.renderer import render_scene
from crowdgan_core.synthetic.world.world import random_world
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.parallel import Workers, parallel_map
from crowdgan_core.utils.progress import NullProgress, Progress

ARCHIVE_NAME, ANNOTATIONS_NAME, GROUND_TRUTH_NAME = "CrowdHuman_train01.zip", "annotation_train.odgt", "truth.json"
"""File names; the first two are CrowdHuman's."""

GROUND_TRUTH_VERSION = 1
"""Version of the format of `truth.json`."""

ID_PREFIX = "900000,"
"""Prefix of synthetic image names; CrowdHuman's names start with 27 or 28."""

JPEG_QUALITY = 90
"""On Pillow's scale; typical of a camera."""

EXIF_IFD_TAG = 0x8769
"""EXIF tag: pointer to the Exif block."""

GOLDEN_RATIO_STEP = (math.sqrt(5) - 1) / 2
"""Step of a low-discrepancy sequence on the unit interval (Weyl sequence)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RenderedImage:
    """A rendered image with its annotations."""

    image_id: str
    jpeg: bytes
    record: dict[str, Any]
    """CrowdHuman record."""

    ground_truth: dict[str, Any]
    """Entry in `truth.json`."""


def write_synthetic_dataset(
    config: SyntheticConfig,
    dest: Path,
    progress: Progress | None = None,
    *,
    workers: Workers = 1,
    overwrite: bool = False,
) -> None:
    """Renders images and writes them atomically to the folder `dest`; an interrupted call is continued.

    Images are rendered in parts, which remain in `DEST.partial` until all are finished.

    `CrowdHuman_train01.zip` contains `Images/<ID>.jpg`, `annotation_train.odgt` one record per line (see
    `synthetic.annotations`), and `truth.json` the ground truth:

        {"format": 1, "seed": 0, "pictures": {"<ID>": {
            "camera": {"height_m", "pitch_deg", "focal_length_px", "focal_length_35mm", "size": [height, width]},
            "people": [{"x_m", "y_m", "height_m", "box_id"}, …],
            "region_m": [[x, y], …], "area_m2", "density_per_m2"}}}

    Camera and ground coordinates are those of `crowdgan_core.scenes.camera`. `region_m` is the ground that the crowd
    occupies, a convex polygon, and `area_m2` its area. `people` are all people in the region, visible or not, and
    `density_per_m2` is their number divided by the area. Their positions are uniformly random up to a minimum distance.
    The region extends beyond the visible ground: by a margin at the sides, and at the bottom, where heads are in the
    image but feet are not. `box_id` is `extra.box_id` of the person's record, null for people who are hidden or outside
    the image. Masked groups and statues are not in `people`.

    Args:
        config: configuration of the dataset.
        dest: output folder; it must not exist, be empty, or contain only an earlier synthetic dataset.
        progress: progress display, advanced after each image.
        workers: number of worker processes, or another executor; the result does not depend on it.
        overwrite: whether an earlier synthetic dataset is overwritten.

    Raises:
        DatasetError: `dest` contains other files, exists without `overwrite`, or cannot be written.
    """
    _check_destination(dest, overwrite=overwrite)
    progress = progress or NullProgress()
    progress.start("rendering images", config.images)
    settings = {"version": version("crowdgan-core"), **asdict(config)}
    with open_resumable_job(dest, settings) as job:
        writer = PartWriter(config=config, folder=job.finished)
        paths = []
        with closing(parallel_map(writer, part_ranges(config.images), workers=workers, chunk_size=1)) as parts:
            for path, count in parts:
                paths.append(path)
                for _ in range(count):
                    progress.advance()
        with wrap_os_errors(dest):
            _join_parts(paths, job.output, config.seed)
        job.finish(overwrite=dest.is_dir())


def part_ranges(images: int) -> list[range]:
    """Indices of the images of each part: a 64th of the images, at least 2 and at most 100."""
    size = min(max(math.ceil(images / 64), 2), 100)
    return [range(first, min(first + size, images)) for first in range(0, images, size)]


@dataclass(frozen=True, kw_only=True)
class PartWriter:
    """Renders parts of a dataset; picklable, sent to the worker processes."""

    config: SyntheticConfig
    folder: Path
    """Folder of the finished parts, which all workers see."""

    def __call__(self, indices: range) -> tuple[Path, int]:
        """Path and number of images of a part: an archive with the files of `_join_parts`; kept if it is complete.

        Raises:
            DatasetError: the part cannot be written, or this process does not see the folder.
        """
        check_visible(
            self.folder,
            "workers write parts of the dataset themselves, so choose an output folder on a path that all of them "
            "share, or omit --scheduler",
        )
        path = self.folder / f"{indices.start:08d}.zip"
        if not _is_complete(path):
            with (
                atomic_path(path, overwrite=True) as partial,
                wrap_os_errors(path),
                zipfile.ZipFile(partial, "w") as part,
            ):
                for index in indices:
                    image = render_image(self.config, index)
                    _add_entry(part, image.image_id, image.jpeg)
                    texts = {"record": image.record, "ground_truth": image.ground_truth}
                    _add_entry(part, f"{image.image_id}.json", json.dumps(texts).encode())
        return path, len(indices)


def _is_complete(path: Path) -> bool:
    """Whether a part exists and its checksums are right."""
    try:
        with zipfile.ZipFile(path) as part:
            return part.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


def _join_parts(paths: Sequence[Path], folder: Path, seed: int) -> None:
    """Writes the files of the dataset from its parts."""
    with ExitStack() as stack:
        archive = stack.enter_context(zipfile.ZipFile(folder / ARCHIVE_NAME, "w", zipfile.ZIP_STORED))
        odgt = stack.enter_context((folder / ANNOTATIONS_NAME).open("w", encoding="utf-8", newline="\n"))
        add_ground_truth = stack.enter_context(_ground_truth_file(folder / GROUND_TRUTH_NAME, seed))
        for path in paths:
            with zipfile.ZipFile(path) as part:
                for image_id in part.namelist()[::2]:
                    texts = json.loads(part.read(f"{image_id}.json"))
                    _add_entry(archive, f"Images/{image_id}.jpg", part.read(image_id))
                    odgt.write(json.dumps(texts["record"]) + "\n")
                    add_ground_truth(image_id, texts["ground_truth"])


def render_image(config: SyntheticConfig, index: int) -> RenderedImage:
    """Renders and annotates the image with this index; the result depends only on the config and the index."""
    rng = np.random.default_rng([config.seed, index])
    world = random_world(rng, config, _image_density(config, index))
    rendered = render_scene(rng, world)
    image_id = ID_PREFIX + hashlib.sha256(f"{config.seed}:{index}".encode()).hexdigest()[:16]
    record, ground_truth = annotate(rendered, world, image_id)
    jpeg = encode_jpeg(rendered.pixels, world.focal_35mm)
    return RenderedImage(image_id=image_id, jpeg=jpeg, record=record, ground_truth=ground_truth)


def encode_jpeg(pixels: ImageArray, focal_35mm: int) -> bytes:
    """JPEG file of `[height, width, 3]` uint8 pixels; its EXIF contains only `FocalLengthIn35mmFilm`, in mm."""
    exif = Image.Exif()
    exif[EXIF_IFD_TAG] = {FOCAL_LENGTH_35MM_TAG: focal_35mm}
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY, exif=exif.tobytes())
    return file.getvalue()


def _image_density(config: SyntheticConfig, index: int) -> float:
    """Density of an image in persons/m², log-uniform over any sequence of indices."""
    start = np.random.default_rng(config.seed).random()
    low, high = config.density
    return float(low * (high / low) ** ((start + index * GOLDEN_RATIO_STEP) % 1))


def _check_destination(dest: Path, *, overwrite: bool) -> None:
    """Checks that `dest` does not exist, is empty, or contains only a dataset that may be overwritten."""
    if not dest.is_dir():
        check_overwrite(dest, overwrite=False)
        return
    names = {path.name for path in dest.iterdir() if not is_system_file(path.name)}
    foreign = sorted(names - {ARCHIVE_NAME, ANNOTATIONS_NAME, GROUND_TRUTH_NAME})
    if foreign:
        raise DatasetError(
            f"{dest}: the folder contains {foreign[0]!r}; it must be new, empty or an earlier synthetic dataset"
        )
    if names:
        check_overwrite(dest, overwrite=overwrite)


@contextmanager
def _ground_truth_file(path: Path, seed: int) -> Iterator[Callable[[str, dict[str, Any]], None]]:
    """Opens `truth.json` for writing, one line per image; yields the function that adds an image."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f'{{"format": {GROUND_TRUTH_VERSION}, "seed": {seed}, "pictures": {{')
        separators = iter(["\n"])
        yield lambda image_id, entry: _write_member(file, next(separators, ",\n"), image_id, entry)
        file.write("\n}}\n")


def _write_member(file: IO[str], separator: str, key: str, value: dict[str, Any]) -> None:
    file.write(f"{separator}{json.dumps(key)}: {json.dumps(value)}")


def _add_entry(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, FIXED_TIMESTAMP)
    info.create_system, info.external_attr = 3, 0o644 << 16  # Unix on every system, so that all write the same bytes
    archive.writestr(info, data)
