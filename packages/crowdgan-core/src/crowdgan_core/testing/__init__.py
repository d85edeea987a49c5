"""Contract checks for plugin authors, to call in their own tests."""

from __future__ import annotations

from crowdgan_core.testing.estimators import EXAMPLE_CAMERA, EXAMPLE_GROUND_M, check_density_estimator, example_scene
from crowdgan_core.testing.extractors import check_feature_extractor
from crowdgan_core.testing.generators import check_image_generator
from crowdgan_core.testing.latent_generators import check_latent_generator

__all__ = [
    "EXAMPLE_CAMERA",
    "EXAMPLE_GROUND_M",
    "check_density_estimator",
    "check_feature_extractor",
    "check_image_generator",
    "check_latent_generator",
    "example_scene",
]
