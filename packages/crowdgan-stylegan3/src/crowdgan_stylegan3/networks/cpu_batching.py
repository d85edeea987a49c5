"""How many images are computed at once."""

from __future__ import annotations

import torch
from torch import Tensor


def use_single_image_batches(ws: Tensor, *, update_emas: bool) -> bool:
    """Whether images of intermediate latents `[N, num_ws, w_dim]` are better made one by one.

    On a CPU larger batches are no faster, take more memory and round differently. Gradients and running means are
    those of the whole batch.
    """
    return len(ws) > 1 and ws.device.type == "cpu" and not (torch.is_grad_enabled() or update_emas)
