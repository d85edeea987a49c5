"""Contract check of a density predictor."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_core.hookspecs import PLUGIN_NAME_PATTERN
from crowdgan_core.metrics.image_sets import ImageSet
from crowdgan_core.metrics.predictor import DensityPredictor
from crowdgan_core.testing._require import plugin_errors_fail, require
from crowdgan_core.testing.image_arrays import CellColours, graded_images
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_core.utils.progress import NullProgress

NUM_IMAGES = 40
"""Number of the example images."""

MAX_ROUNDING_ERROR = 1e-3
"""Maximum difference between batch sizes, relative to the range of the predictions."""


@plugin_errors_fail()
def check_density_predictor(predictor_class: type[DensityPredictor], size: tuple[int, int] = (32, 32)) -> None:
    """Checks a density predictor against the contract, on noisy images that are brighter for a larger number.

    - Name and description are valid, and it is available.
    - It predicts one finite number per image, the same again and in every batch, larger for a brighter image.
    - Fitted again with the same seed, it predicts the same numbers.
    - Images and the global random states of Python and numpy are not modified.

    Args:
        predictor_class: the class, as returned by the plugin's hook.
        size: size of the images, `(height, width)` in pixels.

    Raises:
        AssertionError: the predictor violates the contract; the message describes how.
    """
    _check_attributes(predictor_class)
    images, numbers = graded_images(NUM_IMAGES, size)
    states = repr(np.random.get_state()), random.getstate()
    predictor = _fit(predictor_class, images, numbers)
    passed = images.images.copy()
    predictions = _predict(predictor, passed)
    require(np.array_equal(passed, images.images), "predict must not modify the images")
    require(np.array_equal(_predict(predictor, passed), predictions), "predictions must be the same again")
    order = np.argsort(numbers)
    dark, bright = predictions[order[: NUM_IMAGES // 4]].mean(), predictions[order[-NUM_IMAGES // 4 :]].mean()
    found = f"the predictions of bright images, which have large numbers, are {bright:.3g}, of dark ones {dark:.3g}"
    require(bool(bright > dark), found)
    limit = MAX_ROUNDING_ERROR * float(np.ptp(predictions))
    singles = np.concatenate([_predict(predictor, image[None]) for image in passed])
    is_same = float(np.abs(singles - predictions).max()) <= limit
    require(is_same, "the prediction of an image depends on the other images of the batch")
    again = _predict(_fit(predictor_class, images, numbers), passed)
    is_same = float(np.abs(again - predictions).max()) <= limit
    require(is_same, "fitted again with the same seed, it must predict the same numbers")
    is_unchanged = states == (repr(np.random.get_state()), random.getstate())
    require(is_unchanged, "the global random states of Python and numpy must not change")


def _check_attributes(predictor_class: type[DensityPredictor]) -> None:
    provided: Any = predictor_class
    is_class = isinstance(provided, type) and issubclass(provided, DensityPredictor)
    require(is_class, f"{provided!r:.80} must be a subclass of DensityPredictor")
    name: Any = getattr(predictor_class, "name", None)
    is_valid = isinstance(name, str) and PLUGIN_NAME_PATTERN.fullmatch(name) is not None
    require(is_valid, f"name is {name!r}; it may contain lower-case letters, digits and hyphens")
    text: Any = getattr(predictor_class, "description", None)
    require(isinstance(text, str) and bool(text.strip()), f"description is {text!r}; it must be text")
    reason: Any = predictor_class.unavailable_reason()
    require(reason is None, f"it is not available here: {reason}")


def _fit(predictor_class: type[DensityPredictor], images: ImageSet, numbers: FloatArray) -> DensityPredictor:
    """The fitted predictor, with an extractor of colours in place of every other one."""
    extractor = CellColours.load()
    predictor: Any = predictor_class.fit(
        images, numbers, load_extractor=lambda name: extractor, seed=0, device="cpu", progress=NullProgress()
    )
    require(isinstance(predictor, DensityPredictor), f"fit returned {type(predictor).__name__}, not a DensityPredictor")
    fitted: DensityPredictor = predictor
    return fitted


def _predict(predictor: DensityPredictor, images: npt.NDArray[np.uint8]) -> FloatArray:
    predictions: Any = predictor.predict(images)
    found = f"{predictions.dtype} {list(predictions.shape)}" if isinstance(predictions, np.ndarray) else predictions
    is_valid = isinstance(predictions, np.ndarray) and predictions.shape == (len(images),)
    require(is_valid, f"predict returned {found!r:.80}; it must return one number per image, an array")
    require(bool(np.isfinite(predictions).all()), "predictions must be finite")
    return np.asarray(predictions, float)
