"""A source of small images with known boxes, and a dataset made from it."""

from __future__ import annotations

from pathlib import Path

from crowdgan_core.api import build_dataset, get_estimator, open_source
from crowdgan_core.pipeline.image_job import Region
from tests.support.sources import image_bytes, odgt, person, write_files

SOURCE_SIZE = (60, 80)
"""`(height, width)` of the images of the source in pixels."""

DATASET_SIZE = (48, 48)
"""`(height, width)` of the images of the dataset: centred crops of 60x60, scaled by 0.8."""

MAX_PEOPLE = 24


def crowd_name(index: int) -> str:
    """Name of an image of the source."""
    return f"{700 + index},abc{index:03}"


def num_people(index: int) -> int:
    """Number of people in an image, from 0 to `MAX_PEOPLE`."""
    return 7 * index % (MAX_PEOPLE + 1)


def write_crowds(folder: Path, num_images: int) -> Path:
    """Writes a source in CrowdHuman layout; each image has people at 12 + 2k, 20 px and one ignore region."""
    records = {
        crowd_name(index): [
            *(person(12 + 2 * column, 20) for column in range(num_people(index))),
            person(20, 0, 30, 10, tag="mask", ignore=1),
        ]
        for index in range(num_images)
    }
    files = {f"{name}.jpg": image_bytes(index, SOURCE_SIZE) for index, name in enumerate(records)}
    return write_files(folder, {**files, "annotation_train.odgt": odgt(records).encode()})


def label_crowds(source: Path, dest: Path, *, region: Region = "crop") -> Path:
    """Makes a dataset of three classes of person counts from a source of `write_crowds`."""
    estimator = get_estimator("threshold", sparse_up_to=5, medium_up_to=12)
    build_dataset(open_source(source), dest, density=estimator, resolution=DATASET_SIZE, region=region, workers=1)
    return dest
