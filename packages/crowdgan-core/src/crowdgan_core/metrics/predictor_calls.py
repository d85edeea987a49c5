"""The installed density predictors, and checked calls of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import ConfigError
from crowdgan_core.metrics.extractor import FeatureExtractor
from crowdgan_core.metrics.image_sets import ImageSet
from crowdgan_core.metrics.predictor import DensityPredictor
from crowdgan_core.plugins.registry import PluginRegistry
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_core.utils.plugin_calls import plugin_call, require_result
from crowdgan_core.utils.progress import Progress

KIND = "density predictor"

LoadExtractor = Callable[[str], FeatureExtractor]
"""The loaded feature extractor of a name."""


def available_predictors(plugins: PluginRegistry) -> tuple[Mapping[str, type[DensityPredictor]], tuple[str, ...]]:
    """Predictor classes by name, and for each one that cannot be used its name and the reason."""
    reasons = {name: cls.unavailable_reason() for name, cls in plugins.density_predictors.items()}
    available = {name: cls for name, cls in plugins.density_predictors.items() if reasons[name] is None}
    return available, tuple(f"{name}: {reason}" for name, reason in reasons.items() if reason is not None)


def check_predictors(predictors: Mapping[str, type[DensityPredictor]], unavailable: Sequence[str]) -> None:
    """Checks that there is a predictor.

    Raises:
        ConfigError: there is none; the message has the reasons in `unavailable`.
    """
    if not predictors:
        raise ConfigError(f"no density predictor is available: {'; '.join(unavailable) or 'none is installed'}")


def fit_predictor(
    predictor: type[DensityPredictor],
    images: ImageSet,
    targets: FloatArray,
    *,
    load_extractor: LoadExtractor,
    seed: int,
    device: str,
    progress: Progress,
) -> DensityPredictor:
    """A predictor fitted to images; arguments as for `DensityPredictor.fit`.

    Raises:
        DatasetError: an image is damaged.
        PluginError: the predictor failed.
    """
    with plugin_call(KIND, predictor, "fitting it"):
        return predictor.fit(
            images, targets, load_extractor=load_extractor, seed=seed, device=device, progress=progress
        )


def predict_logs(predictor: DensityPredictor, images: npt.NDArray[np.uint8]) -> FloatArray:
    """Predicted logarithms `[num_images]` of a batch, after checks of their shape and values.

    Raises:
        PluginError: the predictor failed, or did not return one finite number per image.
    """
    with plugin_call(KIND, predictor, "predicting densities"):
        logs: Any = predictor.predict(images)  # a plugin's types are not checked statically
    is_valid = isinstance(logs, np.ndarray) and logs.shape == (len(images),) and np.isfinite(logs).all()
    require_result(bool(is_valid), KIND, predictor, "predict", "it must return one finite number per image")
    return np.asarray(logs, float)
