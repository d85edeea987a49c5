"""Density of images, measured with the predictors of density fidelity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.datasets.record_densities import LogScale, annotated_indices, record_densities
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.metrics.inputs import EvaluationInputs
from crowdgan_core.metrics.predictor import DensityPredictor
from crowdgan_core.metrics.predictor_calls import available_predictors, check_predictors, fit_predictor, predict_logs
from crowdgan_core.metrics.stored_images import DatasetImages
from crowdgan_core.plugins.registry import PluginRegistry
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_core.utils.flags import format_size
from crowdgan_core.utils.progress import NullProgress, Progress

MAX_IMAGES = 1000
"""Annotated images that predictors are fitted to at most, chosen at random."""

MIN_IMAGES = 20
"""Minimum number of annotated images."""


class DensityMeasurement:
    """Density predictors fitted to the annotated images of a dataset.

    Args:
        predictors: fitted predictors by name.
        scale: the scale of the predictors.
    """

    def __init__(self, predictors: dict[str, DensityPredictor], scale: LogScale) -> None:
        self._predictors, self._scale = predictors, scale

    @classmethod
    def fit(
        cls,
        reader: DatasetReader,
        plugins: PluginRegistry,
        *,
        resolution: tuple[int, int],
        seed: int = 0,
        device: str = "auto",
        progress: Progress | None = None,
    ) -> DensityMeasurement:
        """Fits all available predictors to a dataset.

        Args:
            reader: the open dataset.
            plugins: the installed plugins.
            resolution: `(height, width)` of the images to measure.
            seed: seed of the choice of images and of the predictors.
            device: `auto`, `cpu` or `cuda`.
            progress: progress display.

        Raises:
            ConfigError: no predictor is available, or the images of the dataset have another size.
            DatasetError: too few annotated images, or a damaged one.
            PluginError: a predictor failed.
        """
        predictors, unavailable = available_predictors(plugins)
        check_predictors(predictors, unavailable)
        indices = annotated_indices(reader.metadata)
        if len(indices) < MIN_IMAGES:
            raise DatasetError(f"{reader.path}: {len(indices)} images have a density; at least {MIN_IMAGES} are needed")
        indices = np.sort(np.random.default_rng(seed).permutation(indices)[:MAX_IMAGES])
        images = DatasetImages(reader, indices.tolist())
        if images.size != resolution:
            sizes = format_size(images.size), format_size(resolution)
            raise ConfigError(f"{reader.path}: the images are {sizes[0]} px; those of the model are {sizes[1]} px")
        densities = record_densities([reader.metadata.images[index] for index in indices])
        scale = LogScale.fit(densities)
        inputs = EvaluationInputs(num_images=len(images), extractors=plugins.feature_extractors, device=device)
        fitted = {
            name: fit_predictor(
                predictor,
                images,
                scale.log(densities),
                load_extractor=inputs.extractor,
                seed=seed,
                device=device,
                progress=progress or NullProgress(),
            )
            for name, predictor in predictors.items()
        }
        return cls(fitted, scale)

    def measure(self, images: npt.NDArray[np.uint8]) -> dict[str, FloatArray]:
        """Density of each image `[num_images]`, by the name of the predictor.

        Args:
            images: `[num_images, height, width, 3]`.

        Raises:
            PluginError: a predictor failed.
        """
        return {
            name: self._scale.density(predict_logs(predictor, images)) for name, predictor in self._predictors.items()
        }
