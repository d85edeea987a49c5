"""Triton kernels on a CPU, run by Triton's interpreter with numpy.

The environment variable TRITON_INTERPRET decides whether a kernel is compiled or interpreted when its module is
imported. Test modules therefore do not import `crowdgan_stylegan3.ops.triton` at module level but call
`interpreted_ops`; the first call imports the kernels in interpreted form for the rest of the process. Tests of compiled
kernels start a separate process. The variable is set only while such a test module runs.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from types import ModuleType

import pytest


def interpreted_ops() -> Iterator[ModuleType]:
    """Yields `crowdgan_stylegan3.ops.triton` with interpreted kernels; the body of a module-scoped fixture."""
    if importlib.util.find_spec("triton") is None:
        pytest.skip("triton is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        yield importlib.import_module("crowdgan_stylegan3.ops.triton")
