"""Contract check of a feature extractor."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_core.hookspecs import PLUGIN_NAME_PATTERN
from crowdgan_core.metrics.extractor import FeatureArray, FeatureExtractor, WeightsFile
from crowdgan_core.testing._require import plugin_errors_fail, require

SIZES = ((64, 64), (48, 80), (100, 36))
"""Sizes of the example images, `(height, width)` in pixels."""

MAX_ROUNDING_ERROR = 1e-3
"""Maximum difference between batch sizes, relative to the largest feature: sums in another order round differently."""


@plugin_errors_fail()
def check_feature_extractor(extractor: FeatureExtractor) -> None:
    """Checks a feature extractor against the contract.

    - Features are finite float32 numbers `[num_images, num_features]`, equally many for every image size.
    - An image has the same features again and in every batch; different images have different features.
    - Grey, black and white images, and images that are not square, have features.
    - Name, description, fingerprint and weights file are valid; the fingerprint does not change.
    - Images and the global random states of Python and numpy are not modified.

    Args:
        extractor: a loaded extractor.

    Raises:
        AssertionError: the extractor violates the contract; the message describes how.
    """
    _check_attributes(extractor)
    fingerprint: Any = extractor.fingerprint
    require(
        isinstance(fingerprint, str) and bool(fingerprint.strip()), f"fingerprint is {fingerprint!r}; it must be text"
    )
    states = repr(np.random.get_state()), random.getstate()
    widths = {_check_features(extractor, example_images(size)) for size in SIZES}
    require(len(widths) == 1, f"the number of features depends on the image size: {sorted(widths)}")
    require(extractor.fingerprint == fingerprint, "the fingerprint must not change")
    is_unchanged = states == (repr(np.random.get_state()), random.getstate())
    require(is_unchanged, "the global random states of Python and numpy must not change")


def example_images(size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Images `[6, height, width, 3]`: noise, a colour gradient, a grey gradient, stripes, black and white."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3))
    gradient = np.stack([255 * x // width, 255 * y // height, 255 - 255 * x // width], axis=-1)
    grey = np.repeat((255 * y // height)[..., None], 3, axis=-1)
    stripes = np.repeat((255 * (x // 4 % 2))[..., None], 3, axis=-1)
    flat = np.zeros((height, width, 3), int)
    return np.stack([noise, gradient, grey, stripes, flat, flat + 255]).astype(np.uint8)


def _check_attributes(extractor: FeatureExtractor) -> None:
    require(
        isinstance(extractor, FeatureExtractor), f"{type(extractor).__name__} must be a subclass of FeatureExtractor"
    )
    name: Any = getattr(extractor, "name", None)
    is_valid = isinstance(name, str) and PLUGIN_NAME_PATTERN.fullmatch(name) is not None
    require(is_valid, f"name is {name!r}; it may contain lower-case letters, digits and hyphens")
    description: Any = getattr(extractor, "description", None)
    require(
        isinstance(description, str) and bool(description.strip()), f"description is {description!r}; it must be text"
    )
    file: Any = extractor.weights_file
    require(
        file is None or isinstance(file, WeightsFile), f"weights_file is {file!r}; it must be a WeightsFile or None"
    )


def _check_features(extractor: FeatureExtractor, images: npt.NDArray[np.uint8]) -> int:
    """Checks the features of images of one size, and returns their number per image."""
    size = f"images of {images.shape[2]}x{images.shape[1]} px"
    passed = images.copy()
    features = _features(extractor, passed, size)
    require(np.array_equal(passed, images), "features must not modify the images")
    require(np.array_equal(_features(extractor, passed, size), features), f"{size}: features must be the same again")
    limit = MAX_ROUNDING_ERROR * float(np.abs(features).max())
    singles = np.concatenate([_features(extractor, image[None].copy(), size) for image in images])
    is_same = float(np.abs(singles - features).max()) <= limit
    require(is_same, f"{size}: the features of an image depend on the other images of the batch")
    differences = np.abs(features[:, None] - features[None]).max(axis=2) + np.diag([np.inf] * len(features))
    require(float(differences.min()) > limit, f"{size}: different images must have different features")
    return int(features.shape[1])


def _features(extractor: FeatureExtractor, images: npt.NDArray[np.uint8], where: str) -> FeatureArray:
    features: Any = extractor.features(images)
    require(isinstance(features, np.ndarray), f"{where}: features returned {type(features).__name__}, not an array")
    require(features.dtype == np.float32, f"{where}: features returned {features.dtype}, not float32")
    is_table = features.ndim == 2 and len(features) == len(images) and features.shape[1] > 0
    require(is_table, f"{where}: features have shape {features.shape}, not ({len(images)}, num_features)")
    require(bool(np.isfinite(features).all()), f"{where}: features must be finite")
    checked: FeatureArray = features
    return checked
