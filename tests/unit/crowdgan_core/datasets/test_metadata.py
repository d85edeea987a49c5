"""Class boundaries in dataset metadata: an optional key, in both formats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.datasets.hdf5 import Hdf5Format
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import SequentialFormat
from crowdgan_core.datasets.zip_folder import FolderFormat, ZipFormat
from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.errors import DatasetError
from crowdgan_core.testing import write_dataset

BOUNDS = ClassBounds(values=(0.5, 1.0), included_above=(False, True), scale="example", options=("scale",))


def labelled_metadata(class_bounds: ClassBounds | None) -> DatasetMetadata:
    record = ImageRecord(name="", density=0.7, label=1)
    return DatasetMetadata(
        estimator="x",
        unit="persons",
        classes=("a", "b", "c"),
        label_kind="class",
        class_bounds=class_bounds,
        images=(record,),
    )


@pytest.mark.parametrize("class_bounds", [BOUNDS, None])
@pytest.mark.parametrize(
    ("dataset_format", "name"), [(ZipFormat(), "a.zip"), (FolderFormat(), "a"), (Hdf5Format(), "a.h5")]
)
def test_class_boundaries_are_stored(
    tmp_path: Path, dataset_format: SequentialFormat, name: str, class_bounds: ClassBounds | None
) -> None:
    metadata = labelled_metadata(class_bounds).with_images([ImageRecord(name="", density=0.7, label=1)])
    write_dataset(dataset_format, tmp_path / name, [np.zeros((4, 4, 3), np.uint8)], metadata)
    with dataset_format.open(tmp_path / name) as reader:
        assert reader.metadata.class_bounds == class_bounds


def test_metadata_without_class_boundaries_is_read() -> None:
    data = labelled_metadata(None).to_json()
    del data["class_bounds"]
    assert DatasetMetadata.from_json(json.loads(json.dumps(data)), "a.zip") == labelled_metadata(None)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"values": [0.5]}, "a.zip: class_bounds has 1 boundaries for 3 classes"),
        ({"values": [1.0, 0.5]}, "a.zip.class_bounds: class boundaries are (1.0, 0.5); they must be finite numbers"),
        ({"values": "2"}, 'a.zip.class_bounds.values: found "2"; it must be a list'),
        ({"values": [1, 2], "bounds": 3}, "a.zip.class_bounds: unknown key bounds"),
        ({}, "a.zip.class_bounds: the key values is missing"),
    ],
)
def test_invalid_class_boundaries_are_an_error(value: object, message: str) -> None:
    data = {**labelled_metadata(None).to_json(), "class_bounds": value}
    with pytest.raises(DatasetError) as caught:
        DatasetMetadata.from_json(json.loads(json.dumps(data)), "a.zip")
    assert str(caught.value).startswith(message)


def test_interval_and_peak_are_optional_keys_of_an_image() -> None:
    record = ImageRecord(name="a.png", density=0.7, interval=(0.5, 0.9), peak=1.5, label=1)
    metadata = labelled_metadata(None).with_images([record, ImageRecord(name="b.png", density=0.7, label=1)])
    first, second = metadata.to_json()["pictures"]
    assert (tuple(first["interval"]), first["peak"]) == ((0.5, 0.9), 1.5)
    assert not {"interval", "peak"} & set(second)
    assert DatasetMetadata.from_json(json.loads(json.dumps(metadata.to_json())), "a.zip") == metadata
    first["interval"] = [0.5]
    with pytest.raises(DatasetError, match=r"a\.zip\.pictures\[0\]\.interval: found \[0\.5\]; it must be a list of 2"):
        DatasetMetadata.from_json({**metadata.to_json(), "pictures": [first]}, "a.zip")
