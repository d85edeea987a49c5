"""Distances between features equal those of torchmetrics with the same feature extractor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from crowdgan_core.metrics import frechet_distance, kernel_distance

NUM_FEATURES = 24


class PatchFeatures(nn.Module):
    """Projections of the mean colours of 4 × 4 patches, as an extractor of torchmetrics."""

    num_features = NUM_FEATURES

    def __init__(self) -> None:
        super().__init__()
        weight = torch.randn(48, NUM_FEATURES, generator=torch.Generator().manual_seed(0))
        self.register_buffer("weight", weight / 48**0.5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features `[num_images, NUM_FEATURES]` of images uint8 `[num_images, 3, height, width]`."""
        patches = nn.functional.adaptive_avg_pool2d(images.float() / 127.5 - 1, 4)
        return torch.relu(patches.flatten(1) @ self.get_buffer("weight"))


@pytest.fixture(scope="module")
def images() -> list[torch.Tensor]:
    """Two sets of 300 images 8 × 8 of different mean brightness."""
    rng = np.random.default_rng(0)
    return [torch.from_numpy(rng.integers(low, 256, (300, 3, 8, 8), dtype=np.uint8)) for low in (0, 60)]


def update_in_batches(metric: Any, images: list[torch.Tensor]) -> None:
    for is_real, image_set in zip((True, False), images, strict=True):
        for batch in image_set.split(128):
            metric.update(batch, real=is_real)


def extract(images: list[torch.Tensor]) -> list[np.ndarray[Any, Any]]:
    return [PatchFeatures()(image_set).numpy() for image_set in images]


def test_frechet_distance_equals_that_of_torchmetrics(images: list[torch.Tensor]) -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance  # takes seconds

    metric = FrechetInceptionDistance(feature=PatchFeatures())
    update_in_batches(metric, images)
    real, generated = extract(images)
    mean_term = np.sum((real.mean(axis=0, dtype=np.float64) - generated.mean(axis=0, dtype=np.float64)) ** 2)
    covariance_term = frechet_distance(real, generated) - mean_term
    unbiased = len(real) / (len(real) - 1)  # torchmetrics divides covariances by the number of images minus 1
    assert mean_term + unbiased * covariance_term == pytest.approx(metric.compute().item(), rel=1e-5)
    assert covariance_term > 1e-3, "both terms are compared"


def test_kernel_distance_equals_that_of_torchmetrics(images: list[torch.Tensor]) -> None:
    from torchmetrics.image.kid import KernelInceptionDistance  # takes seconds

    with pytest.warns(UserWarning, match="will save all extracted features"):
        metric = KernelInceptionDistance(feature=PatchFeatures(), subsets=1, subset_size=300)
    update_in_batches(metric, images)
    assert kernel_distance(*extract(images)).mean == pytest.approx(metric.compute()[0].item(), rel=1e-4)
