"""Kernel launches as data, so that kernels can be run, or compiled without a GPU."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import torch

COMPILE_OPTIONS = {"num_warps": 4, "num_stages": 1, "enable_fp_fusion": True}
"""Compiler options: 128 threads; no prefetching of loads, which would double shared memory and registers, while other
programs on the multiprocessor hide the latency anyway; fused multiply-add."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One launch of a kernel."""

    kernel: Any
    """A function decorated with `triton.jit`."""
    programs: int
    """Number of program instances, on one axis."""
    arguments: dict[str, Any]
    """All arguments by name, including constants."""

    def run(self, device: torch.device) -> None:
        """Launch the kernel on the current stream of a device, or run it in Triton's interpreter."""
        with torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext():
            self.kernel[(self.programs,)](**self.arguments, **COMPILE_OPTIONS)
