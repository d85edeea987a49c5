"""Triton kernels on a CPU: Triton's interpreter runs them as numpy.

Whether a kernel is compiled or interpreted is decided by the environment variable TRITON_INTERPRET when the module that
holds it is imported. So no test module imports `crowdgan_stylegan3.ops.triton` at its top; it asks here, and the first
to ask imports the kernels for good as interpreted ones. Other tests of the process never need them compiled: those that
do start a process of their own. The variable stays set only while such a test module runs.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from types import ModuleType

import pytest


def interpreted_ops() -> Iterator[ModuleType]:
    """`crowdgan_stylegan3.ops.triton`, interpreted; the body of a fixture of scope module."""
    if importlib.util.find_spec("triton") is None:
        pytest.skip("triton is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        yield importlib.import_module("crowdgan_stylegan3.ops.triton")
