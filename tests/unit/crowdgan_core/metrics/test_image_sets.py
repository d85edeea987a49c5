"""Sets of stored and generated images."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from crowdgan_blobs.generator import BlobGenerator
from crowdgan_blobs.model import example_model
from PIL import Image

from crowdgan_core.api import open_dataset, open_source
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.metrics import generated_images
from crowdgan_core.metrics.generated_images import GeneratedImages, sample_labels
from crowdgan_core.metrics.stored_images import DatasetImages, SourceImages
from tests.support.feature_extractors import random_images, write_dataset
from tests.support.sources import write_files


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_images_of_a_dataset_are_read_in_batches_with_mirrored_copies_last(tmp_path: Path) -> None:
    images = random_images(5, (8, 16))
    with open_dataset(write_dataset(tmp_path / "a.zip", images)) as reader:
        mirrored = DatasetImages(reader, mirror=True)
        batches = list(mirrored.batches(4))
        assert [len(batch) for batch in batches] == [4, 4, 2]
        assert np.array_equal(np.concatenate(batches), np.concatenate([images, images[:, :, ::-1]]))
        assert (len(mirrored), mirrored.size) == (10, (8, 16))
        assert mirrored.description == f"{tmp_path / 'a.zip'} with mirrored copies"
        assert mirrored.content_hash() != DatasetImages(reader).content_hash()


def test_the_content_hash_depends_on_pixels_not_on_names_and_formats(tmp_path: Path) -> None:
    images = random_images(3)
    folder = write_files(tmp_path / "folder", {f"{index}.png": png(item) for index, item in enumerate(images)})
    of_folder = SourceImages(open_source(folder), "folder").content_hash()
    with open_dataset(write_dataset(tmp_path / "a.zip", images)) as reader:
        assert DatasetImages(reader).content_hash() == of_folder
    changed = images.copy()
    changed[2, -1, -1, 2] ^= 1
    with open_dataset(write_dataset(tmp_path / "b.zip", changed)) as reader:
        assert DatasetImages(reader).content_hash() != of_folder


def test_grey_images_have_three_channels(tmp_path: Path) -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    images = SourceImages(open_source(write_files(tmp_path / "grey", {"a.png": png(grey)})), "grey")
    assert np.array_equal(next(images.batches(2)), np.repeat(grey[None, :, :, None], 3, axis=3))


def test_an_image_of_another_size_is_an_error_that_names_it(tmp_path: Path) -> None:
    first, other = random_images(1)[0], random_images(1, (8, 16))[0]
    folder = write_files(tmp_path / "mixed", {"a.png": png(first), "b.png": png(other)})
    images = SourceImages(open_source(folder), "mixed")
    message = "b.png: the image is 16x8 px and .*a.png is 16x16 px; metrics require images of one size"
    with pytest.raises(DatasetError, match=message):
        images.content_hash()
    with pytest.raises(DatasetError, match=message):
        list(images.batches(2))


def test_a_dataset_without_images_is_an_error(tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "empty.zip", [])
    with open_dataset(path) as reader, pytest.raises(DatasetError, match=r"empty\.zip: contains no images"):
        DatasetImages(reader)


@pytest.mark.parametrize("max_kept_bytes", [0, generated_images.MAX_KEPT_BYTES])
def test_generated_images_do_not_depend_on_the_batch_size(max_kept_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generated_images, "MAX_KEPT_BYTES", max_kept_bytes)
    generator = BlobGenerator(example_model("class", (16, 16)))
    labels = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 2]]
    images = GeneratedImages(generator, labels, seed=3)
    pixels = np.concatenate(list(images.batches(2)))
    assert np.array_equal(pixels, np.concatenate(list(images.batches(5))))
    assert np.array_equal(pixels, generator.generate(images.seeds, labels))
    assert len(set(images.seeds)) == len(images) == 5
    assert images.content_hash() is None
    fewer = GeneratedImages(generator, labels[:3], seed=3)
    assert np.array_equal(np.concatenate(list(fewer.batches(2))), pixels[:3])
    assert not np.array_equal(next(GeneratedImages(generator, labels, seed=4).batches(5)), pixels)


def test_labels_are_drawn_from_those_of_the_dataset(tmp_path: Path) -> None:
    card = example_model("class", (16, 16)).card
    with open_dataset(write_dataset(tmp_path / "a.zip", random_images(4), [0, 2, 2, 2])) as reader:
        labels = sample_labels(reader, card, 4000, seed=0)
        assert labels.sum(axis=0) == pytest.approx([1000, 0, 3000], abs=100)
        assert np.array_equal(labels[:7], sample_labels(reader, card, 7, seed=0))
        assert not np.array_equal(labels, sample_labels(reader, card, 4000, seed=1))
        assert sample_labels(reader, example_model(None).card, 2, seed=0).shape == (2, 0)
    with open_dataset(write_dataset(tmp_path / "b.zip", random_images(2), [(0.5,), (2.0,)])) as reader:
        values = sample_labels(reader, example_model("value").card, 100, seed=0)
        assert set(values[:, 0].tolist()) == {0.5, 2.0}


def test_other_labels_than_those_of_the_model_are_an_error_that_names_both(tmp_path: Path) -> None:
    card = example_model("class").card
    path = write_dataset(tmp_path / "a.zip", random_images(2), [0, 1], classes=["few", "many"])
    message = r"a\.zip: the classes few, many, but the model has the classes sparse, medium, dense; the labels"
    with open_dataset(path) as reader, pytest.raises(ConfigError, match=message):
        sample_labels(reader, card, 2, seed=0)
    path = write_dataset(tmp_path / "b.zip", random_images(2))
    with open_dataset(path) as reader, pytest.raises(ConfigError, match=r"b\.zip: no labels, but the model has the"):
        sample_labels(reader, card, 2, seed=0)
    with pytest.raises(ConfigError, match="the model has continuous labels of length 1; give a dataset .* --data"):
        sample_labels(None, example_model("value").card, 2, seed=0)
