"""Contract checks for plugin authors, to call in their own tests."""

from __future__ import annotations

from crowdgan_core.testing.estimators import EXAMPLE_CAMERA, EXAMPLE_GROUND_M, check_density_estimator, example_scene
from crowdgan_core.testing.extractors import check_feature_extractor
from crowdgan_core.testing.formats import check_dataset_format
from crowdgan_core.testing.generators import check_image_generator
from crowdgan_core.testing.latent_generators import check_latent_generator
from crowdgan_core.testing.metrics import check_metric
from crowdgan_core.testing.predictors import check_density_predictor
from crowdgan_core.testing.sources import check_scene_source
from crowdgan_core.testing.writing import write_dataset

__all__ = [
    "EXAMPLE_CAMERA",
    "EXAMPLE_GROUND_M",
    "check_dataset_format",
    "check_density_estimator",
    "check_density_predictor",
    "check_feature_extractor",
    "check_image_generator",
    "check_latent_generator",
    "check_metric",
    "check_scene_source",
    "example_scene",
    "write_dataset",
]
