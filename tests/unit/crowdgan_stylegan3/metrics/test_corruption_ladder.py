"""The kernel distance of `lite0` features rises with each level of blur, noise, JPEG compression and fewer classes."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image, ImageFilter

from crowdgan_core.metrics import kernel_distance
from crowdgan_core.metrics.extractor import FeatureArray
from crowdgan_core.synthetic.config import SyntheticConfig
from crowdgan_core.synthetic.world.world import random_world
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_stylegan3.metrics.lite0 import Lite0Extractor
from tests.support.synthetic_worlds import render

DENSITIES_PER_M2 = (0.05, 0.15, 0.5, 1.2, 2.5, 5.0)
NUM_CLASSES = 6


def blurred(image: ImageArray, sigma_px: float) -> ImageArray:
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma_px)))


def noisy(image: ImageArray, std: float) -> ImageArray:
    noise = np.random.default_rng(0).normal(0, std, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def compressed(image: ImageArray, quality: float) -> ImageArray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=int(quality))
    return np.asarray(Image.open(file))


CORRUPTIONS: dict[str, tuple[Callable[[ImageArray, float], ImageArray], tuple[float, ...]]] = {
    "blur": (blurred, (0.5, 1, 2, 4, 8)),
    "noise": (noisy, (8, 16, 32, 64, 128)),
    "JPEG": (compressed, (60, 30, 15, 8, 3)),
}
"""Corruption and its five levels."""


@pytest.fixture(scope="module")
def extractor() -> Lite0Extractor:
    return Lite0Extractor.load(device="cpu")


def synthetic_crowds(images_per_class: int) -> list[ImageArray]:
    """Rendered images in order of density."""
    config = SyntheticConfig(images=1, size=(120, 160), max_people=120)
    worlds = (
        random_world(np.random.default_rng([7, index, image]), config, density)
        for index, density in enumerate(DENSITIES_PER_M2)
        for image in range(images_per_class)
    )
    return [render(world).pixels for world in worlds]


def real_crowds(data: Path) -> list[ImageArray]:
    """Images of ShanghaiTech in order of the number of people."""
    paths = [path for part in "AB" for path in (data / f"part_{part}_final" / "test_data" / "images").glob("*.jpg")]
    return [
        np.asarray(Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.LANCZOS))
        for path in sorted(paths, key=lambda path: (number_of_people(path), path.name))
    ]


def number_of_people(path: Path) -> int:
    annotations = scipy.io.loadmat(path.parent.parent / "ground-truth" / f"GT_{path.stem}.mat")
    return int(annotations["image_info"][0, 0][0, 0][1].item())


def distance(real: FeatureArray, other: FeatureArray) -> float:
    return kernel_distance(real, other).mean


def assert_distances_rise(extractor: Lite0Extractor, images: list[ImageArray], num_corrupted: int) -> None:
    """Compares every second image with the others: corrupted, and without the classes of highest density."""
    features = extractor.features(np.stack(images))
    real, others = features[::2], features[1::2]
    undistorted = distance(real, others)
    corrupted = images[1::2][:: len(images) // 2 // num_corrupted]
    for name, (corrupt, levels) in CORRUPTIONS.items():
        distances = [
            distance(real, extractor.features(np.stack([corrupt(image, level) for image in corrupted])))
            for level in levels
        ]
        assert distances == sorted(distances), (name, distances)
        assert distances[1] > undistorted, (name, distances)
        assert distances[-1] > undistorted + 0.1, (name, distances)
    classes = np.arange(len(images)) * NUM_CLASSES // len(images)
    distances = [distance(real, others[classes[1::2] < count]) for count in range(NUM_CLASSES - 1, 0, -1)]
    assert distances == sorted(distances), ("fewer classes", distances)
    assert distances[-1] > undistorted + 0.05, ("fewer classes", distances)


def test_distances_rise_on_synthetic_crowds(extractor: Lite0Extractor) -> None:
    assert_distances_rise(extractor, synthetic_crowds(images_per_class=6), num_corrupted=6)


@pytest.mark.slow
def test_distances_rise_on_many_synthetic_crowds(extractor: Lite0Extractor) -> None:
    assert_distances_rise(extractor, synthetic_crowds(images_per_class=24), num_corrupted=24)


@pytest.mark.slow
def test_distances_rise_on_real_crowds(extractor: Lite0Extractor, shared: Path) -> None:
    data = shared / "data" / "shanghaitech"
    if not data.is_dir():
        pytest.skip("../shared/data/shanghaitech does not exist")
    assert_distances_rise(extractor, real_crowds(data), num_corrupted=30)
