"""Batch size of the synthesis on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor


def use_single_image_batches(ws: Tensor, *, update_emas: bool) -> bool:
    """Whether to synthesise images one by one from intermediate latents `[N, num_ws, w_dim]`.

    On a CPU larger batches are not faster, need more memory and round differently. Gradients and running means need
    the full batch.
    """
    return len(ws) > 1 and ws.device.type == "cpu" and not (torch.is_grad_enabled() or update_emas)
