"""Feature extraction in batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crowdgan_core.metrics.extractor import FeatureArray

BATCH_SIZES = {"cpu": 8, "cuda": 64}
"""Images processed at a time, by type of device; larger batches are not faster on a CPU."""


def extract_in_batches(
    images: npt.NDArray[np.uint8], device: torch.device, extract: Callable[[Tensor], Tensor]
) -> FeatureArray:
    """Features `[num_images, num_features]`, one row per image.

    All batches have the same size, the last one with blank images, since rounding depends on the batch size.

    Args:
        images: `[num_images, height, width, 3]`.
        device: device of the network.
        extract: maps images `[N, 3, height, width]`, uint8, on the device to features `[N, num_features]`.
    """
    size = BATCH_SIZES[device.type]
    num_blank = -len(images) % size
    x = torch.from_numpy(np.pad(images, ((0, num_blank), (0, 0), (0, 0), (0, 0)))).permute(0, 3, 1, 2)
    with torch.inference_mode():
        features = [extract(batch.to(device)).float().cpu() for batch in torch.split(x, size)]
    return torch.cat(features)[: len(images)].numpy()
