"""Kernels with what they are started with, so that they can be run, or compiled without a GPU."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import torch

OPTIONS = {"num_warps": 4, "num_stages": 1, "enable_fp_fusion": True}
"""How kernels are compiled: 128 threads; loads are not prefetched, which would double shared memory and registers where
other programs on the multiprocessor hide the wait anyway; multiply and add in one instruction."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One start of a kernel."""

    kernel: Any
    """A function under `triton.jit`."""
    programs: int
    """Number of instances, on one axis."""
    arguments: dict[str, Any]
    """All arguments by name, constants too."""

    def run(self, device: torch.device) -> None:
        """Starts the kernel on the current stream of a device; in Triton's interpreter, runs it."""
        with torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext():
            self.kernel[(self.programs,)](**self.arguments, **OPTIONS)
