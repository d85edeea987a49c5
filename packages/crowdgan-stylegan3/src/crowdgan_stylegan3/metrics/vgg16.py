"""The feature extractor `vgg16`. Importing this module loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from crowdgan_core.metrics.extractor import FeatureArray, WeightsFile
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_stylegan3.metrics.torchscript import OFFICIAL_FOLDER, TorchScriptExtractor

if TYPE_CHECKING:
    from torch import Tensor


class Vgg16Extractor(TorchScriptExtractor):
    """VGG16, with which published precision, recall and perceptual path lengths are computed."""

    name = "vgg16"
    description = "VGG16 trained on ImageNet: 4096 features of images resized to 224x224, and LPIPS distances"
    weights_file = WeightsFile(
        name="vgg16.pt",
        sha256=("b437eb095feaeb0b83eb3fa11200ebca4548ee39a07fb944a417ddc516cc07c3",),
        source=f"{OFFICIAL_FOLDER}/vgg16.pt",
    )

    def features(self, images: npt.NDArray[np.uint8]) -> FeatureArray:
        """Features `[num_images, 4096]` of images `[num_images, height, width, 3]`, one row per image."""
        from crowdgan_stylegan3.metrics.batches import extract_in_batches

        return extract_in_batches(images, self._device, lambda batch: self._network(batch, return_features=True))

    def lpips(self, a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> FloatArray:
        """LPIPS distance of each pair of images `[num_images, height, width, 3]`, `[num_images]`.

        The images are not resized.
        """
        from crowdgan_stylegan3.metrics.batches import extract_in_batches

        def features(images: npt.NDArray[np.uint8]) -> FloatArray:
            return extract_in_batches(
                images, self._device, lambda batch: self.perceptual_features(batch.float())
            ).astype(np.float64)

        return np.asarray(np.square(features(a) - features(b)).sum(axis=1))

    def perceptual_features(self, images: Tensor) -> Tensor:
        """Features `[N, num_features]`, whose squared distances are LPIPS distances.

        Args:
            images: `[N, 3, H, W]`, float, 0 to 255; not resized.
        """
        features: Tensor = self._network(images.to(self._device), resize_images=False, return_lpips=True)
        return features
