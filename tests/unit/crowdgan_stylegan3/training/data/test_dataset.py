"""Order of the training images, batches, labels, and unsuitable datasets."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_stylegan3.training.data.dataset import ImageDataset, load_batches, open_training_data
from crowdgan_stylegan3.training.data.label_sampling import DatasetLabelSampler
from crowdgan_stylegan3.training.data.sampler import ImageSampler
from tests.support.training import CLASSES, synthetic_image, write_dataset


def create_sampler(num_images: int, *, mirror: bool = False, **settings: Any) -> ImageSampler:
    labels = DatasetLabelSampler(np.arange(num_images, dtype=np.float32)[:, None])
    return ImageSampler(labels=labels, mirror=mirror, **settings)


def batch_indices(sampler: ImageSampler, steps: int) -> list[list[int]]:
    """Indices of the images in each batch, whose labels are checked: they are equal to the indices."""
    batches = list(islice(sampler, steps))
    count = len(sampler.labels.vectors)
    assert all(label.tolist() == [index % count] for batch in batches for index, label in batch)
    return [[index for index, _ in batch] for batch in batches]


@pytest.mark.parametrize("mirror", [False, True])
def test_every_pass_contains_every_image_once(mirror: bool) -> None:
    count = 20 if mirror else 10
    sampler = create_sampler(10, mirror=mirror, batch=4, seed=0)
    order = [number for batch in batch_indices(sampler, count // 2) for number in batch]
    first, second = order[:count], order[count:]
    assert sorted(first) == sorted(second) == list(range(count))
    assert first != second


def test_the_order_depends_only_on_the_seed() -> None:
    sampler = create_sampler(10, batch=4, seed=0)
    assert batch_indices(sampler, 5) == batch_indices(sampler, 5)
    assert batch_indices(sampler, 5) != batch_indices(create_sampler(10, batch=4, seed=1), 5)


def test_a_resumed_run_reads_the_same_batches() -> None:
    batches = batch_indices(create_sampler(7, batch=4, seed=3), 6)
    assert batch_indices(create_sampler(7, batch=4, seed=3, start_nimg=12), 3) == batches[3:]


@pytest.mark.parametrize("size", [2, 4])
def test_ranks_divide_the_images_of_a_step(size: int) -> None:
    batches = batch_indices(create_sampler(11, batch=8, seed=0), 4)
    parts = [batch_indices(create_sampler(11, batch=8, seed=0, rank=rank, world_size=size), 4) for rank in range(size)]
    for batch, rank_batches in zip(batches, zip(*parts, strict=True), strict=True):
        assert [batch[rank::size] for rank in range(size)] == list(rank_batches)


@pytest.mark.parametrize("name", ["crowds.zip", "crowds.h5", "crowds"])
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_contain_images_and_their_labels(tmp_path: Path, name: str, workers: int) -> None:
    path = write_dataset(tmp_path / name)
    with open_training_data(path, conditional=None) as data:
        images = ImageDataset(path, len(data.reader))
        sampler = ImageSampler(labels=DatasetLabelSampler(data.labels.vectors), mirror=False, batch=5, seed=0)
        with load_batches(images, sampler, workers=workers, device=torch.device("cpu")) as loaded:
            batches = list(islice(loaded, 3))
    for drawn, (pixels, labels) in zip(islice(sampler, 3), batches, strict=False):
        indices = [index for index, _ in drawn]
        assert (pixels.dtype, pixels.shape, labels.dtype) == (torch.uint8, (5, 3, 16, 16), torch.float32)
        assert pixels[:, 0, 0, 0].tolist() == indices
        assert labels.argmax(dim=1).tolist() == [number % 3 for number in indices]
        assert torch.equal(pixels[0].permute(1, 2, 0), torch.from_numpy(synthetic_image(indices[0], indices[0] % 3)))


def test_indices_above_the_number_of_images_stand_for_flipped_images(dataset: Path) -> None:
    images, label = ImageDataset(dataset, 24), np.array([0, 1], np.float32)
    assert torch.equal(images[24 + 5, label][0], images[5, label][0].flip(2))
    assert torch.equal(images[24 + 5, label][1], torch.from_numpy(label))


def test_training_is_conditional_if_the_dataset_has_labels(dataset: Path) -> None:
    with open_training_data(dataset, conditional=None) as data:
        assert data.labels.describe() == "conditional on 3 classes: sparse 33 %, medium 33 %, dense 33 %"
        assert (data.labels.dim, data.labels.classes, data.resolution) == (3, CLASSES, 16)
        assert data.labels.labelling == {"estimator": "grid", "region": "crop"}
    with open_training_data(dataset, conditional=False) as data:
        assert data.labels.describe() == "unconditional: the dataset has no labels, or --cond=false"
        assert data.labels.vectors.shape == (24, 0)


def test_labels_can_be_density_values(tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "values.zip", labels="value")
    with open_training_data(path, conditional=None) as data:
        assert data.labels.describe() == "conditional on the density, 0 to 2.23 persons per cell, median 1.12"
        names, rows = data.labels.sample_rows()
        assert (data.labels.dim, len(names), rows.shape) == (1, 5, (5, 1))
        assert (np.diff(rows[:, 0]) > 0).all()


def test_conditional_training_without_labels_is_an_error(tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "plain.zip", labels=None)
    with open_training_data(path, conditional=None) as data:
        assert data.labels.kind is None
    with (
        pytest.raises(ConfigError, match="the dataset has no labels, which --cond=true requires"),
        open_training_data(path, conditional=True),
    ):
        pass


def test_classes_without_images_are_listed(tmp_path: Path) -> None:
    with open_training_data(write_dataset(tmp_path / "two.zip", 2), conditional=None) as data:
        assert data.labels.empty_classes() == ["dense"]


@pytest.mark.parametrize(("size", "nearest"), [((16, 32), 16), ((24, 24), 16), ((8, 8), 16), ((100, 200), 64)])
def test_images_of_an_unsuitable_size_are_an_error_with_a_command(
    tmp_path: Path, size: tuple[int, int], nearest: int
) -> None:
    path = write_dataset(tmp_path / "odd.zip", 3, size=size)
    with pytest.raises(ConfigError) as caught, open_training_data(path, conditional=None):
        pass
    assert str(caught.value).startswith(f"{path}: the images are {size[1]}x{size[0]} px; training requires")
    assert str(caught.value).endswith(
        f"crowdgan convert --source {path} --dest squares.zip --resolution {nearest}x{nearest}"
    )


def test_a_missing_or_empty_dataset_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(DatasetError, match="no such file or folder"),
        open_training_data(tmp_path / "no.zip", conditional=None),
    ):
        pass
    path = write_dataset(tmp_path / "empty.zip", 0)
    with (
        pytest.raises(DatasetError, match="the dataset contains no images"),
        open_training_data(path, conditional=None),
    ):
        pass
