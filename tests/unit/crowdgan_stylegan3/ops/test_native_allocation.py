"""Memory freed by a layer is reused for the next one."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import torch
from crowdgan_stylegan3.ops import bias_act

def faults() -> int:
    x = torch.zeros(2**23)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        bias_act(x, act="lrelu")
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

bias_act(torch.zeros(1), act="lrelu")
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are those of glibc")
def test_native_ops_reuse_freed_memory_unless_the_user_sets_the_allocator() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    pages, user_pages = (
        int(
            subprocess.run(
                [sys.executable, "-c", PROGRAM],
                env={**environment, **settings},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for settings in ({}, {"MALLOC_TRIM_THRESHOLD_": "131072"})
    )
    assert pages < user_pages / 2
