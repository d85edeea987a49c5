"""Contract check of a scene source."""

from __future__ import annotations

import pickle
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.errors import CrowdganError
from crowdgan_core.pipeline.image_job import SkippedImage, load_full_scene
from crowdgan_core.scenes.scene import BOX_FIELDS, FLAG_FIELDS, PersonAnnotations
from crowdgan_core.sources.annotation_files.box_checks import MAX_COORDINATE_PX
from crowdgan_core.sources.base import AnnotatedImage, SceneSource, SourceProblem, SourceReader
from crowdgan_core.testing._require import plugin_errors_fail, require
from crowdgan_core.testing.extractors import example_images


@plugin_errors_fail()
def check_scene_source(source: SceneSource, paths: Sequence[Path], annotations: Path | None = None) -> None:
    """Checks a scene source against the contract, on example data.

    - Name and description are texts, and `is_fallback` is a bool.
    - The paths match; a missing path, a text file and an empty folder do not, nor does a folder of images without
      annotations unless the source is a fallback.
    - Opening an empty folder raises a DatasetError or ConfigError.
    - Names of images differ, and there are as many images as the length of the reader.
    - Each iteration, also of a source that is opened again, gives the same images, annotations and records.
    - Boxes are numbers or missing, and have positive sizes within the image; sources with annotations have people.
    - Images can be read, also by worker processes.

    Args:
        source: the source, as returned by the plugin's hook.
        paths: example data of at least two images, with people if the source has annotations.
        annotations: annotation file, if it is given separately.

    Raises:
        AssertionError: the source violates the contract; the message describes how.
    """
    _check_attributes(source)
    require(source.matches(paths, annotations) is True, "matches must be True for the example data")
    _check_other_paths(source)
    reader = _open(source, paths, annotations)
    images = _read(reader)
    require(len(images) > 1, f"the example data has {len(images)} images; the check needs at least 2")
    _check_same(images, _read(reader), "the second iteration")
    _check_same(images, _read(source.open(paths, annotations)), "the source, opened again,")
    for image in images:
        _check_image(image, has_annotations=reader.has_annotations)
    counts = Counter(image.source_name for image in images)
    repeated = [name for name, count in counts.items() if count > 1]
    require(not repeated, f"source_name {', '.join(map(repr, repeated[:3]))} is repeated; names must differ")
    is_used = not reader.has_annotations or any(image.people.person_count for image in images)
    require(is_used, "has_annotations is True, but the example data has no people")


def _check_attributes(source: SceneSource) -> None:
    for key in ("name", "description"):
        text: Any = getattr(source, key, None)
        require(isinstance(text, str) and bool(text.strip()), f"{key} is {text!r}; it must be text")
    is_fallback: Any = getattr(source, "is_fallback", None)
    require(isinstance(is_fallback, bool), f"is_fallback is {is_fallback!r}; it must be True or False")


def _check_other_paths(source: SceneSource) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        text, empty, images = root / "notes.txt", root / "empty", root / "images"
        text.write_text("This is not a source.\n", encoding="utf-8")
        empty.mkdir()
        images.mkdir()
        for index, pixels in enumerate(example_images((24, 32))):
            Image.fromarray(pixels).save(images / f"{index}.png")
        others = {"a missing path": root / "missing.zip", "a text file": text}
        if not source.is_fallback:
            others |= {"an empty folder": empty, "a folder of images without annotations": images}
        for description, path in others.items():
            try:
                is_match: Any = source.matches([path], None)
            except Exception as error:  # the class's code may raise any exception
                raise AssertionError(f"matches raises {error!r:.200} for {description}") from error
            require(is_match is False, f"matches is {is_match!r} for {description}; it must be False")
        try:
            source.open([empty], None)
        except CrowdganError:
            return
        except Exception as error:  # the class's code may raise any exception
            raise AssertionError(f"opening an empty folder raises {error!r:.200}; it must be DatasetError") from error
        raise AssertionError("opening an empty folder must raise DatasetError")


def _open(source: SceneSource, paths: Sequence[Path], annotations: Path | None) -> SourceReader:
    reader: Any = source.open(paths, annotations)
    require(isinstance(reader.has_annotations, bool), f"has_annotations is {reader.has_annotations!r}, not a bool")
    problems: Sequence[Any] = reader.problems
    require(all(isinstance(item, SourceProblem) for item in problems), "problems must be SourceProblem objects")
    errors = [f"{item.reason}: {', '.join(item.names)}" for item in problems if item.is_error]
    require(not errors, f"the example data has problems: {'; '.join(errors)}")
    is_metadata = isinstance(reader.metadata, DatasetMetadata)
    require(is_metadata, f"metadata is {type(reader.metadata).__name__}, not DatasetMetadata")
    require(len(reader.metadata.images) == 0, "metadata must have no image records")
    opened: SourceReader = reader
    return opened


def _read(reader: SourceReader) -> list[AnnotatedImage]:
    images: list[Any] = list(reader)
    for image in images:
        require(isinstance(image, AnnotatedImage), f"iteration gives {type(image).__name__}, not AnnotatedImage")
    require(len(images) == len(reader), f"len is {len(reader)}, but an iteration gives {len(images)} images")
    return images


def _check_same(images: Sequence[AnnotatedImage], again: Sequence[AnnotatedImage], description: str) -> None:
    names, other_names = [item.source_name for item in images], [item.source_name for item in again]
    require(names == other_names, f"{description} gives the images {other_names!r:.200}, not {names!r:.200}")
    for image, other in zip(images, again, strict=True):
        is_same = image.record == other.record and image.image.where == other.image.where
        before, after = _arrays(image.people), _arrays(other.people)
        is_same &= all(np.array_equal(array, after[key], equal_nan=True) for key, array in before.items())
        require(is_same, f"{description} gives other contents of the image {image.source_name}")


def _check_image(image: AnnotatedImage, *, has_annotations: bool) -> None:
    name: Any = image.source_name
    require(isinstance(name, str) and bool(name), f"source_name is {name!r}; it must be text")
    where: Any = image.image.where
    require(isinstance(where, str) and bool(where), f"{name}: where of the image handle is {where!r}; it must be text")
    is_record = image.record is None or isinstance(image.record, ImageRecord)
    require(is_record, f"{name}: the record is {type(image.record).__name__}, not ImageRecord or None")
    require(has_annotations or len(image.people) == 0, f"{name}: it has people, but has_annotations is False")
    try:
        copy: AnnotatedImage = pickle.loads(pickle.dumps(image))  # noqa: S301  our own bytes
        pixels = np.asarray(copy.image.open())
    except Exception as error:  # the class's code may raise any exception
        raise AssertionError(f"{name}: a worker process cannot read the image: {error!r:.200}") from error
    _check_same([image], [copy], "a pickled copy")
    require(np.array_equal(pixels, np.asarray(image.image.open())), f"{name}: a pickled copy has other pixels")
    scene = load_full_scene(image)
    if isinstance(scene, SkippedImage):
        raise AssertionError(f"{name}: the image cannot be used: {scene.reason}")
    _check_boxes(scene, name, scene.size)


def _check_boxes(people: PersonAnnotations, name: str, size: tuple[int, int]) -> None:
    height, width = size
    for key in BOX_FIELDS:
        boxes = getattr(people, key)
        is_missing = np.isnan(boxes).all(axis=1)
        given, of_people = boxes[~is_missing], boxes[~is_missing & ~people.ignore]
        is_valid = bool((np.abs(given) <= MAX_COORDINATE_PX).all())
        require(is_valid, f"{name}: {key} must be four finite numbers, or four NaN for a missing box")
        min_size = 0 if key == "head_boxes" else np.nextafter(0, 1)
        require(bool((of_people[:, 2:] >= min_size).all()), f"{name}: {key} must have positive widths and heights")
        ends = of_people[:, :2] + of_people[:, 2:]
        is_inside = (of_people[:, :2] <= [width, height]) & (ends >= 0)
        outside = of_people[~is_inside.all(axis=1)]
        found = f"{name}: the box {outside[:1].round(1).tolist()} of {key}"
        require(not len(outside), f"{found} is outside the image of {width}x{height} px; boxes are x, y, width, height")


def _arrays(people: PersonAnnotations) -> Mapping[str, np.ndarray]:
    return {key: getattr(people, key).astype(float) for key in (*BOX_FIELDS, *FLAG_FIELDS)}
