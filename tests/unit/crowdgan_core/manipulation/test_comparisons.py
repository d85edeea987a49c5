"""Background similarity, perceptual distance, and animations of projections."""

from __future__ import annotations

import io
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from crowdgan_core.manipulation.background_similarity import background_similarity, other_images
from crowdgan_core.manipulation.history import History
from crowdgan_core.manipulation.perceptual_distance import PerceptualDistance
from crowdgan_core.metrics.extractor import FeatureArray, FeatureExtractor, WeightsFile
from crowdgan_core.metrics.inputs import EvaluationInputs
from crowdgan_core.utils.arrays import FloatArray
from tests.support.linear_generator import LinearGenerator


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 16, 16, 3)).astype(np.uint8)


def test_a_background_is_similar_if_half_of_the_pixels_are_unchanged() -> None:
    image, others = noise(0), noise(1, 1, 8)
    edited = image.copy()
    edited[:8] = 255 - edited[:8]
    assert background_similarity(image, edited[None], others) == pytest.approx([1])
    edited[8:10] = 255 - edited[8:10]
    (partly,) = background_similarity(image, edited[None], others)
    assert 0.2 < partly < 1


def test_other_images_have_a_background_similarity_of_0() -> None:
    image, others = noise(0), noise(1, 2, 200)
    similarities = [background_similarity(image, noise(seed, 2), others) for seed in range(10, 30)]
    assert np.mean(similarities) == pytest.approx(0, abs=0.02)


def test_other_images_are_those_of_seeds_with_each_label() -> None:
    generator = LinearGenerator()
    sparse, dense = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
    others = other_images(generator, [sparse, dense])
    expected = generator.generate(range(8), np.tile(np.array(dense, np.float32), (8, 1)))
    assert np.array_equal(others[1], expected)
    assert not np.array_equal(others[0], others[1])


class MeanColour(FeatureExtractor):
    """Features: the mean colour."""

    name = "lite0"
    description = "mean colour"
    is_installed: ClassVar[bool] = True

    @classmethod
    def unavailable_reason(cls) -> str | None:
        return None if cls.is_installed else "not installed"

    @classmethod
    def load(cls, weights: Path | None = None, device: str = "auto") -> MeanColour:
        return cls()

    @property
    def fingerprint(self) -> str:
        return "mean colour"

    def features(self, images: np.ndarray) -> FeatureArray:
        return images.mean(axis=(1, 2), dtype=np.float32)


class Lpips(MeanColour):
    """LPIPS: the number of different pixels."""

    name = "vgg16"
    weights_file = WeightsFile("vgg16.pt", ("00",), "somewhere")

    def lpips(self, a: np.ndarray, b: np.ndarray) -> FloatArray:
        return (a != b).any(axis=3).sum(axis=(1, 2)).astype(float)


class Missing(MeanColour):
    is_installed = False


def colour(*rgb: int) -> np.ndarray:
    return np.full((4, 4, 3), rgb, np.uint8)


def test_the_perceptual_distance_is_that_of_unit_features() -> None:
    distance = PerceptualDistance.of_available_extractor(
        EvaluationInputs(num_images=1, extractors={"lite0": MeanColour, "vgg16": Lpips})
    )
    assert distance is not None
    assert distance.name == "lite0"
    assert distance(colour(10, 0, 0), colour(250, 0, 0)) == pytest.approx(0, abs=1e-6)
    assert distance(colour(10, 0, 0), colour(0, 0, 90)) == pytest.approx(np.sqrt(2))


def test_the_perceptual_distance_is_lpips_with_its_weights(tmp_path: Path) -> None:
    (tmp_path / "vgg16.pt").write_bytes(b"")
    extractors: dict[str, type[FeatureExtractor]] = {"lite0": MeanColour, "vgg16": Lpips}
    inputs = EvaluationInputs(num_images=1, extractors=extractors, weights={"vgg16": tmp_path / "vgg16.pt"})
    distance = PerceptualDistance.of_available_extractor(inputs)
    assert distance is not None
    assert (distance.name, distance(colour(1, 2, 3), colour(1, 2, 4))) == ("LPIPS", 16)


def test_without_an_extractor_there_is_no_perceptual_distance() -> None:
    inputs = EvaluationInputs(num_images=1, extractors={"lite0": Missing})
    assert PerceptualDistance.of_available_extractor(inputs) is None


def test_a_history_has_images_at_equal_intervals_and_the_last_one() -> None:
    history, computed = History(noise(0)), []
    for step in range(1, 132):
        history.add("projection", step, 131, lambda step=step: computed.append(step) or noise(step))  # type: ignore[misc,func-returns-value]
    assert computed == [*range(3, 130, 3), 131]
    assert [caption for caption, _ in history.entries[:2]] == ["projection, step 3", "projection, step 6"]
    with Image.open(io.BytesIO(history.encode({"target": "a"}))) as animation:
        assert animation.n_frames == len(computed)  # type: ignore[attr-defined]
