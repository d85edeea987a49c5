"""Building the native ops: C++ by the system's compiler through ninja, once per user and machine, kept in a cache.

The library has a plain C interface and includes no header of torch, so that it builds in seconds and serves every
version of torch.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import ninja
import platformdirs
from filelock import FileLock

from crowdgan_core.errors import BuildError

SOURCES = ("resample.cpp", "winograd.cpp", "bias_act.cpp")
HEADERS = ("resample.h", "stages.h", "loops.h", "vectors.h")
FOLDER = Path(__file__).parent

COMPILERS = ("c++", "g++", "clang++")
"""Tried in this order; the environment variable CXX goes first."""

FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-fPIC", "-Wall")

CACHE_VARIABLE = "CROWDGAN_CACHE"
"""Environment variable: folder for what is built, instead of the user's cache folder."""

LIBRARY = "libcrowdgan_ops.so"
LOG = "build.log"
SHOW_LOG = "crowdgan stylegan3 doctor --build-log"
"""Command that shows what a failed build printed."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """Where the native ops of this machine are built, and how."""

    compiler: str
    """Path of the compiler."""
    version: str
    """First line of what it says of its version."""
    folder: Path
    """What is built lies here; its name follows from sources, flags, compiler and processor."""

    @property
    def library(self) -> Path:
        """The library, once it is built."""
        return self.folder / LIBRARY

    @property
    def log(self) -> Path:
        """What the last failed build printed; absent when none has failed."""
        return self.folder / LOG


def planned_build() -> Build:
    """The build for this machine, done or not.

    Raises:
        BuildError: there is no C++ compiler.
    """
    compiler = _compiler()
    version = _version(compiler)
    sources = b"".join((FOLDER / name).read_bytes() for name in (*SOURCES, *HEADERS))
    parts = (sources, shlex.join(FLAGS).encode(), version.encode(), _processor().encode())
    key = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    return Build(compiler=compiler, version=version, folder=cache_folder() / key)


def cache_folder() -> Path:
    """The folder of all builds of this user."""
    given = os.environ.get(CACHE_VARIABLE)
    return (Path(given) if given else Path(platformdirs.user_cache_dir("crowdgan"))) / "native"


def built_library(*, retry: bool = False) -> Path:
    """The library with the native ops, built if it is not yet there; safe when several processes call at once.

    Args:
        retry: build again where an earlier build failed.

    Raises:
        BuildError: there is no compiler, or it failed, now or earlier.
    """
    build = planned_build()
    if build.library.exists():
        return build.library
    try:
        build.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(build.folder / "lock"):
            if build.library.exists():  # another process was faster
                return build.library
            if build.log.exists() and not retry:
                raise BuildError(f"building the native ops failed earlier; `{SHOW_LOG}` shows why")
            _build(build)
    except OSError as error:
        raise BuildError(f"{build.folder}: the native ops cannot be built there ({error.strerror})") from error
    return build.library


def _build(build: Build) -> None:
    """Builds in a folder of its own and renames, so that the library appears whole or not at all."""
    with tempfile.TemporaryDirectory(dir=build.folder, prefix="building-") as name:
        folder = Path(name)
        (folder / "build.ninja").write_text(_ninja_file(build.compiler))
        command = [str(Path(ninja.BIN_DIR) / "ninja"), "-C", name, "-v"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # noqa: S603
        if done.returncode:
            build.log.write_text(done.stdout)
            raise BuildError(f"building the native ops failed ({build.compiler}); `{SHOW_LOG}` shows why")
        (folder / LIBRARY).replace(build.library)
    build.log.unlink(missing_ok=True)


def _ninja_file(compiler: str) -> str:
    objects = [(name, f"{Path(name).stem}.o") for name in SOURCES]
    lines = [
        f"cxx = {_escaped(shlex.quote(compiler))}",
        f"flags = {shlex.join(FLAGS)}",
        "rule compile\n  command = $cxx $flags -c $in -o $out",
        "rule link\n  command = $cxx -shared -fopenmp $in -o $out",
        *(f"build {made}: compile {_escaped(str(FOLDER / name))}" for name, made in objects),
        f"build {LIBRARY}: link {' '.join(made for _, made in objects)}",
    ]
    return "\n".join(lines) + "\n"


def _escaped(path: str) -> str:
    """A path as ninja files write it."""
    return path.replace("$", "$$").replace(" ", "$ ").replace(":", "$:")


def _compiler() -> str:
    wanted = os.environ.get("CXX")
    for name in (wanted,) if wanted else COMPILERS:
        if found := shutil.which(name):
            return found
    tried = wanted or ", ".join(COMPILERS)
    raise BuildError(f"no C++ compiler was found for the native ops (tried {tried}); install g++, or set CXX to one")


def _version(compiler: str) -> str:
    try:
        text = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"{compiler}: the compiler does not run ({error})") from error
    return text.splitlines()[0] if text else "unknown"


def _processor() -> str:
    """What the compiler's `native` depends on: a home folder may serve several machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.machine())
