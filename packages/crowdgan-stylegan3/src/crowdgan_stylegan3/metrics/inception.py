"""The feature extractor `inception`. Importing this module loads no torch."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import CheckpointError
from crowdgan_core.metrics.extractor import FeatureArray, WeightsFile
from crowdgan_stylegan3.metrics.torchscript import OFFICIAL_FOLDER, TorchScriptExtractor, is_torchscript, load_network

if TYPE_CHECKING:
    import torch


class InceptionExtractor(TorchScriptExtractor):
    """Inception-v3 of 2015, with which published FID, KID and inception scores are computed."""

    name = "inception"
    description = "Inception-v3 of 2015 trained on ImageNet: 2048 features of images resized to 299x299"
    weights_file = WeightsFile(
        name="inception-2015-12-05.pt",
        sha256=(
            "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
            "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        ),
        source=f"{OFFICIAL_FOLDER}/inception-2015-12-05.pt, or weights-inception-2015-12-05-6726825d.pth of the "
        "project torch-fidelity",
    )

    @classmethod
    def _load_network(cls, path: Path) -> torch.nn.Module:
        if is_torchscript(path):
            return load_network(path)
        import torch

        from crowdgan_stylegan3.metrics.fid_inception import FidInception

        try:
            return FidInception(torch.load(path, map_location="cpu", weights_only=True)).eval()
        except (KeyError, RuntimeError, TypeError, EOFError, UnpicklingError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise CheckpointError(
                f"{path}: neither a TorchScript file nor the state dict of Inception-v3: {reason}"
            ) from error

    def features(self, images: npt.NDArray[np.uint8]) -> FeatureArray:
        """Features `[num_images, 2048]` of images `[num_images, height, width, 3]`, one row per image."""
        from crowdgan_stylegan3.metrics.batches import extract_in_batches

        return extract_in_batches(images, self._device, lambda batch: self._network(batch, return_features=True))

    def probabilities(self, images: npt.NDArray[np.uint8]) -> FeatureArray:
        """Class probabilities `[num_images, 1008]` for the inception score, computed without the output bias."""
        from crowdgan_stylegan3.metrics.batches import extract_in_batches

        return extract_in_batches(images, self._device, lambda batch: self._network(batch, no_output_bias=True))
