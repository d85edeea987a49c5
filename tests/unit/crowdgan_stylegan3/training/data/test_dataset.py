"""The order of images, their labels, and what can be trained on."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_stylegan3.training.data.dataset import ImageDataset, load_batches, open_training_data
from crowdgan_stylegan3.training.data.sampler import ImageSampler
from tests.support.training import CLASSES, synthetic_image, write_dataset


def numbers(order: ImageSampler, steps: int) -> list[list[int]]:
    return list(islice(order, steps))


def test_every_image_comes_once_each_time_through() -> None:
    seen = [number for step in numbers(ImageSampler(num_images=10, batch=4, seed=0), 5) for number in step]
    first, second = seen[:10], seen[10:]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_the_order_depends_on_the_seed_alone() -> None:
    order = ImageSampler(num_images=10, batch=4, seed=0)
    assert numbers(order, 5) == numbers(order, 5)
    assert numbers(order, 5) != numbers(ImageSampler(num_images=10, batch=4, seed=1), 5)


def test_a_run_that_goes_on_sees_what_it_would_have_seen() -> None:
    whole = numbers(ImageSampler(num_images=7, batch=4, seed=3), 6)
    assert numbers(ImageSampler(num_images=7, batch=4, seed=3, start_nimg=12), 3) == whole[3:]


@pytest.mark.parametrize("size", [2, 4])
def test_processes_share_the_images_of_a_step(size: int) -> None:
    whole = numbers(ImageSampler(num_images=11, batch=8, seed=0), 4)
    parts = [
        numbers(ImageSampler(num_images=11, batch=8, seed=0, rank=rank, world_size=size), 4) for rank in range(size)
    ]
    for step, own in zip(whole, zip(*parts, strict=True), strict=True):
        assert [step[rank::size] for rank in range(size)] == list(own)


@pytest.mark.parametrize("name", ["crowds.zip", "crowds.h5", "crowds"])
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_hold_images_with_their_labels(tmp_path: Path, name: str, workers: int) -> None:
    path = write_dataset(tmp_path / name)
    with open_training_data(path, conditional=None) as data:
        images = ImageDataset(path, data.labels, mirror=False)
        order = ImageSampler(num_images=len(images), batch=5, seed=0)
        found = list(islice(load_batches(images, order, workers=workers, device=torch.device("cpu")), 3))
    for wanted, (pixels, labels) in zip(numbers(order, 3), found, strict=True):
        assert (pixels.dtype, pixels.shape, labels.dtype) == (torch.uint8, (5, 3, 16, 16), torch.float32)
        assert pixels[:, 0, 0, 0].tolist() == wanted
        assert labels.argmax(dim=1).tolist() == [number % 3 for number in wanted]
        assert torch.equal(pixels[0].permute(1, 2, 0), torch.from_numpy(synthetic_image(wanted[0], wanted[0] % 3)))


def test_mirrored_images_come_beside_the_others(dataset: Path) -> None:
    with open_training_data(dataset, conditional=None) as data:
        images = ImageDataset(dataset, data.labels, mirror=True)
    assert len(images) == 48
    assert torch.equal(images[24 + 5][0], images[5][0].flip(2))
    assert torch.equal(images[24 + 5][1], images[5][1])


def test_training_is_conditional_where_the_dataset_has_labels(dataset: Path) -> None:
    with open_training_data(dataset, conditional=None) as data:
        assert data.labels.describe() == "conditional on 3 classes: sparse 33 %, medium 33 %, dense 33 %"
        assert (data.labels.dim, data.labels.classes, data.resolution) == (3, CLASSES, 16)
        assert data.labels.labelling == {"estimator": "grid", "region": "crop"}
    with open_training_data(dataset, conditional=False) as data:
        assert data.labels.describe() == "unconditional: the dataset has no labels, or --cond=false"
        assert data.labels.vectors.shape == (24, 0)


def test_labels_may_be_the_density_itself(tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "values.zip", labels="value")
    with open_training_data(path, conditional=None) as data:
        assert data.labels.describe() == "conditional on the density, 0 to 2.23 persons per cell, median 1.12"
        names, rows = data.labels.sample_rows()
        assert (data.labels.dim, len(names), rows.shape) == (1, 5, (5, 1))
        assert (np.diff(rows[:, 0]) > 0).all()


def test_labels_that_are_missing_cannot_be_asked_for(tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "plain.zip", labels=None)
    with open_training_data(path, conditional=None) as data:
        assert data.labels.kind is None
    with (
        pytest.raises(ConfigError, match="the dataset has no labels, which --cond=true requires"),
        open_training_data(path, conditional=True),
    ):
        pass


def test_classes_without_images_are_known(tmp_path: Path) -> None:
    with open_training_data(write_dataset(tmp_path / "two.zip", 2), conditional=None) as data:
        assert data.labels.empty_classes() == ["dense"]


@pytest.mark.parametrize(("size", "near"), [((16, 32), 16), ((24, 24), 16), ((8, 8), 16), ((100, 200), 64)])
def test_images_that_do_not_fit_are_refused_with_what_helps(tmp_path: Path, size: tuple[int, int], near: int) -> None:
    path = write_dataset(tmp_path / "odd.zip", 3, size=size)
    with pytest.raises(ConfigError) as caught, open_training_data(path, conditional=None):
        pass
    assert str(caught.value).startswith(f"{path}: the images are {size[1]}x{size[0]} px; training requires")
    assert str(caught.value).endswith(f"crowdgan convert --source {path} --dest squares.zip --resolution {near}x{near}")


def test_a_dataset_that_is_missing_or_empty_is_refused(tmp_path: Path) -> None:
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
