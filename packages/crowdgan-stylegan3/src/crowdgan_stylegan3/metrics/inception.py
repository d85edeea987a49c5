"""The feature extractor `inception`. Importing this module loads no torch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crowdgan_core.metrics.extractor import FeatureArray, WeightsFile
from crowdgan_stylegan3.metrics.torchscript import OFFICIAL_FOLDER, TorchScriptExtractor


class InceptionExtractor(TorchScriptExtractor):
    """Inception-v3 of 2015, with which published FID, KID and inception scores are computed."""

    name = "inception"
    description = "Inception-v3 of 2015 trained on ImageNet: 2048 features of images resized to 299x299"
    weights_file = WeightsFile(
        name="inception-2015-12-05.pt",
        sha256=("f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",),
        source=f"{OFFICIAL_FOLDER}/inception-2015-12-05.pt",
    )

    def features(self, images: npt.NDArray[np.uint8]) -> FeatureArray:
        """Features `[num_images, 2048]` of images `[num_images, height, width, 3]`, one row per image."""
        from crowdgan_stylegan3.metrics.batches import extract_in_batches

        return extract_in_batches(images, self._device, lambda batch: self._network(batch, return_features=True))

    def probabilities(self, images: npt.NDArray[np.uint8]) -> FeatureArray:
        """Class probabilities `[num_images, 1008]` for the inception score, computed without the output bias."""
        from crowdgan_stylegan3.metrics.batches import extract_in_batches

        return extract_in_batches(images, self._device, lambda batch: self._network(batch, no_output_bias=True))
