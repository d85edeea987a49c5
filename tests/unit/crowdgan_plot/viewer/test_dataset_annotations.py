"""Boxes and density estimates of the images of a dataset."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from crowdgan_core.api import NamedSource, get_estimator, open_dataset, open_source
from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.errors import ConfigError, CrowdganError, DatasetError
from crowdgan_core.io.stored_images import ArrayImage
from crowdgan_core.scenes.scene import PersonAnnotations
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.sources.base import AnnotatedImage
from crowdgan_plot.viewer.dataset.annotations import NO_SOURCE, ImageAnnotations, recreate_estimator, stated_transform
from tests.support.labelled_crowds import DATASET_SIZE, crowd_name, label_crowds, num_people, write_crowds

CROWDED = 7
"""Index of the image with the most people."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_crowds(tmp_path_factory.mktemp("annotations") / "source", 20)


@pytest.fixture(scope="module")
def dataset(source: Path) -> Path:
    return label_crowds(source, source.parent / "crowds.zip")


@pytest.fixture
def reader(dataset: Path) -> Iterator[DatasetReader]:
    with open_dataset(dataset) as reader:
        yield reader


def with_metadata(reader: DatasetReader, **changes: Any) -> DatasetReader:
    reader.metadata = replace(reader.metadata, **changes)
    return reader


@dataclass
class CountingSource:
    """A source that counts how often it is read."""

    images: list[AnnotatedImage]
    has_annotations: bool = True
    problems: tuple[()] = ()
    metadata: DatasetMetadata = field(default_factory=DatasetMetadata)
    num_iterations: int = 0

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        self.num_iterations += 1
        return iter(self.images)


def test_boxes_are_cropped_and_scaled_with_the_image(reader: DatasetReader, source: Path) -> None:
    boxes = ImageAnnotations(reader, open_source(source)).boxes(1)
    assert boxes.size == DATASET_SIZE
    expected = [[(2 + 2 * column) * 0.8, 16.0, 6.4, 19.2] for column in range(num_people(1))]
    np.testing.assert_allclose(boxes.people, expected)
    np.testing.assert_allclose(boxes.ignore_regions, [[8, 0, 24, 8]])
    assert boxes.heads.shape == (0, 2)
    assert boxes.to_json()["people"][0] == [1.6, 16.0, 6.4, 19.2]


def test_the_number_of_boxes_is_the_person_count_of_the_crop(reader: DatasetReader, source: Path) -> None:
    annotations = ImageAnnotations(reader, open_source(source))
    for index, record in enumerate(reader.metadata.images):
        assert len(annotations.boxes(index).people) == record.person_count


def test_visible_boxes_replace_unknown_full_boxes_and_heads_replace_boxes(reader: DatasetReader) -> None:
    nan = [np.nan] * 4
    people = PersonAnnotations(
        full_boxes=np.array([nan, nan, [20, 10, 8, 16]]),
        visible_boxes=np.array([[30.0, 10, 10, 20], nan, nan]),
        head_boxes=np.array([nan, [40, 30, 0, 0], nan]),
    )
    name = reader.metadata.images[0].source or ""
    image = AnnotatedImage(source_name=name, image=ArrayImage(np.zeros((60, 80, 3), np.uint8), name), people=people)
    boxes = ImageAnnotations(reader, NamedSource("test", CountingSource([image]))).boxes(0)
    np.testing.assert_allclose(boxes.people, [[16, 8, 8, 16], [8, 8, 6.4, 12.8]])
    np.testing.assert_allclose(boxes.heads, [[24, 24]])


def test_the_source_is_read_once_and_only_when_it_is_needed(reader: DatasetReader, source: Path) -> None:
    counting = CountingSource(list(open_source(source)))
    annotations = ImageAnnotations(reader, NamedSource("test", counting))
    assert counting.num_iterations == 0
    annotations.boxes(0)
    annotations.boxes(1)
    annotations.estimate_figure(1)
    assert counting.num_iterations == 1


def test_without_a_source_nothing_is_shown(reader: DatasetReader) -> None:
    annotations = ImageAnnotations(reader, None)
    assert annotations.boxes_problem == annotations.estimate_problem == NO_SOURCE
    for function in (annotations.boxes, annotations.estimate_figure):
        with pytest.raises(ConfigError, match=NO_SOURCE):
            function(0)


def test_a_source_without_annotations_is_a_problem(reader: DatasetReader, dataset: Path) -> None:
    problem = ImageAnnotations(reader, open_source(dataset)).boxes_problem
    assert problem == "dataset: crowds.zip has no annotations of people"


def test_boxes_are_shown_without_estimates_if_the_dataset_has_no_densities(reader: DatasetReader, source: Path) -> None:
    annotations = ImageAnnotations(with_metadata(reader, estimator=None), open_source(source))
    assert annotations.boxes_problem is None
    assert annotations.estimate_problem == "the dataset has no densities"
    with pytest.raises(ConfigError, match="the dataset has no densities"):
        annotations.estimate_figure(0)


def test_an_image_that_is_not_in_the_source_is_an_error(reader: DatasetReader, source: Path) -> None:
    images = reader.metadata.images
    changed = (replace(images[0], source="other"), replace(images[1], source=None), *images[2:])
    annotations = ImageAnnotations(with_metadata(reader, images=changed), open_source(source))
    with pytest.raises(DatasetError, match=f"{images[0].name}: the source has no image other"):
        annotations.boxes(0)
    with pytest.raises(DatasetError, match=f"{images[1].name}: the dataset does not state the name of the source"):
        annotations.boxes(1)
    assert len(annotations.boxes(2).people) > 0


def test_another_size_than_that_of_the_transform_is_an_error(reader: DatasetReader, source: Path) -> None:
    annotations = ImageAnnotations(with_metadata(reader, transform="center-crop 32x32"), open_source(source))
    message = f"image {crowd_name(0)}: the transform center-crop 32x32 gives 32x32 px, but .* has 48x48 px"
    with pytest.raises(DatasetError, match=message):
        annotations.boxes(0)


@pytest.mark.parametrize("region", ["crop", "full"])
def test_the_figure_shows_the_measured_region(
    source: Path, tmp_path: Path, region: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crowdgan_plot.density import estimate_figure

    explained = []
    explain = estimate_figure.explain_image
    monkeypatch.setattr(
        estimate_figure, "explain_image", lambda *args: explained.append(explain(*args)) or explained[-1]
    )
    with open_dataset(label_crowds(source, tmp_path / "crowds.zip", region=region)) as reader:
        annotations = ImageAnnotations(reader, open_source(source))
        image = Image.open(io.BytesIO(annotations.estimate_figure(CROWDED)))
        record = reader.metadata.images[CROWDED]
    assert image.format == "PNG"
    assert image.width > 400
    assert explained[0].image.shape == ((60, 60, 3) if region == "crop" else (60, 80, 3))
    assert explained[0].estimate.value == record.density
    assert explained[0].classes[explained[0].estimate.class_index] == reader.metadata.classes[record.label]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("center-crop 256x128", ImageTransform(name="center-crop", size=(128, 256))),
        ("center-crop", ImageTransform(name="center-crop")),
        ("none", ImageTransform()),
        ("center-crop-wide 64x48", ImageTransform(name="center-crop-wide", size=(48, 64))),
    ],
)
def test_the_transform_of_a_dataset_is_read_from_its_metadata(text: str, expected: ImageTransform) -> None:
    assert stated_transform(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "the dataset does not state how its images were cropped, so boxes cannot be shown"),
        (
            "center-crop 64x64, then none 32x32",
            "the images were transformed more than once (center-crop 64x64, then none 32x32), so boxes cannot be shown",
        ),
        ("mirror 8x8", "the transform of the dataset is unknown (mirror 8x8), so boxes cannot be shown"),
        (
            "none 8",
            "the transform of the dataset is invalid (8 is not a size; write width and height in pixels, for example "
            "256x256), so boxes cannot be shown",
        ),
    ],
)
def test_other_transforms_are_errors(text: str | None, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        stated_transform(text)
    assert str(error.value) == message


def test_an_estimator_is_recreated_with_its_fitted_values() -> None:
    estimator = get_estimator("ground", cameras=(0.1, 6.5, 700.0), focal_mm35=28, scale="hcm-walkway")
    options = {"scale": "hcm-walkway", "cameras": [0.1, 6.5, 700], "focal_mm35": 28}
    assert recreate_estimator(DatasetMetadata(estimator="ground", options=options)) == estimator


def test_an_estimator_is_recreated_with_its_files() -> None:
    options = {"homography": "h.json"}
    expected = get_estimator("ground", homography=Path("h.json"))
    assert recreate_estimator(DatasetMetadata(estimator="ground", options=options)) == expected


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (DatasetMetadata(estimator="other"), "the density estimator other is not installed"),
        (DatasetMetadata(estimator="grid", options={"new": 1}), "options of grid"),
        (DatasetMetadata(estimator="grid", options={"medium_from": "high"}), "options of grid.medium_from: found"),
    ],
)
def test_an_estimator_that_cannot_be_recreated_is_an_error(metadata: DatasetMetadata, message: str) -> None:
    with pytest.raises(CrowdganError, match=message):
        recreate_estimator(metadata)
