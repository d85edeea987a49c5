"""The native ops under the address and undefined-behaviour sanitisers, in a separate process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crowdgan_stylegan3.ops.native.build import FLAGS, SOURCE_FOLDER, SOURCES

TESTS = Path(__file__).with_name("test_ops.py")

PROGRAM = """
import sys
from pathlib import Path

import pytest

from crowdgan_stylegan3.ops.native import library

library.build_library = lambda: Path(sys.argv[1])
sys.exit(pytest.main([sys.argv[2], "-q", "-p", "no:cacheprovider", "-k", "native or threads or batch or conv2d"]))
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed; it locates the sanitiser libraries")
def test_native_ops_have_no_memory_errors(tmp_path: Path) -> None:
    library = tmp_path / "sanitised.so"
    sanitise = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1", "-shared"]
    flags = [flag for flag in FLAGS if flag != "-O3"]
    subprocess.run(["g++", *flags, *sanitise, "-o", library, *(SOURCE_FOLDER / name for name in SOURCES)], check=True)
    sanitiser_libraries = [
        subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    environment = {**os.environ, "LD_PRELOAD": ":".join(sanitiser_libraries), "ASAN_OPTIONS": "detect_leaks=0"}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, library, TESTS], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    assert " passed" in run.stdout
