"""Compile the native ops: C++ by the system's compiler through ninja, once per user and machine, cached on disk.

The library has a plain C interface and includes no torch header, so it compiles in seconds and works with every
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
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import ninja

from crowdgan_core.errors import BuildError
from crowdgan_core.io.locks import lock_file
from crowdgan_core.utils import cache

SOURCES = ("resample.cpp", "separable.cpp", "winograd.cpp", "bias_act.cpp")
HEADERS = ("resample.h", "stages.h", "loops.h", "vectors.h")
SOURCE_FOLDER = Path(__file__).parent

COMPILERS = ("c++", "g++", "clang++")
"""Compilers in order of preference; the environment variable CXX overrides them."""

FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-fPIC", "-Wall")

LIBRARY_NAME = "libcrowdgan_ops.so"
LOG_NAME = "build.log"
SHOW_LOG_COMMAND = "crowdgan stylegan3 doctor --build-log"
"""Command that prints the log of the last failed build."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """Compiler and location of the native ops on this machine."""

    compiler: tuple[str, ...]
    """Path of the compiler, after that of a launcher such as ccache if CXX names one, and their arguments."""
    version: str
    """First line of the compiler's version text."""
    folder: Path
    """Folder of the build; its name is a hash of sources, flags, compiler version and processor."""

    @property
    def library(self) -> Path:
        """Path of the library; it exists after a successful build."""
        return self.folder / LIBRARY_NAME

    @property
    def log(self) -> Path:
        """Path of the log of the last failed build; it does not exist if none has failed."""
        return self.folder / LOG_NAME


def plan_build() -> Build:
    """Compiler and location of the build on this machine, whether or not it exists.

    Raises:
        BuildError: no C++ compiler is installed.
    """
    compiler = _find_compiler()
    version = _compiler_version(compiler)
    sources = b"".join((SOURCE_FOLDER / name).read_bytes() for name in (*SOURCES, *HEADERS))
    parts = (sources, shlex.join(FLAGS).encode(), version.encode(), _processor_features().encode())
    key = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    return Build(compiler=compiler, version=version, folder=cache_folder() / key)


def cache_folder() -> Path:
    """The folder of all builds of this user."""
    return cache.cache_folder() / "native"


def build_library(*, retry: bool = False) -> Path:
    """Path of the library of native ops; compiles it first if it does not exist. Safe in concurrent processes.

    Args:
        retry: compile again if an earlier build failed.

    Raises:
        BuildError: no compiler is installed, or the build fails or failed earlier.
    """
    build = plan_build()
    if build.library.exists():
        return build.library
    try:
        build.folder.mkdir(parents=True, exist_ok=True)
        with lock_file(build.folder / "lock"):
            if build.library.exists():  # another process was faster
                return build.library
            if build.log.exists() and not retry:
                raise BuildError(f"building the native ops failed earlier; `{SHOW_LOG_COMMAND}` shows why")
            _compile(build)
    except OSError as error:
        raise BuildError(f"{build.folder}: the native ops cannot be built there ({error.strerror})") from error
    return build.library


def _compile(build: Build) -> None:
    """Compile in a temporary folder, then move the library, so that other processes never see an incomplete file."""
    with tempfile.TemporaryDirectory(dir=build.folder, prefix="building-") as name:
        folder = Path(name)
        (folder / "build.ninja").write_text(_ninja_file(build.compiler))
        command = [str(Path(ninja.BIN_DIR) / "ninja"), "-C", name, "-v"]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # noqa: S603
        if run.returncode:
            build.log.write_text(run.stdout)
            raise BuildError(
                f"building the native ops failed ({shlex.join(build.compiler)}); `{SHOW_LOG_COMMAND}` shows why"
            )
        (folder / LIBRARY_NAME).replace(build.library)
    build.log.unlink(missing_ok=True)


def _ninja_file(compiler: Sequence[str]) -> str:
    objects = {name: f"{Path(name).stem}.o" for name in SOURCES}
    lines = [
        f"cxx = {_escape_ninja(shlex.join(compiler))}",
        f"flags = {shlex.join(FLAGS)}",
        "rule compile\n  command = $cxx $flags -c $in -o $out",
        "rule link\n  command = $cxx -shared -fopenmp $in -o $out",
        *(f"build {target}: compile {_escape_ninja(str(SOURCE_FOLDER / name))}" for name, target in objects.items()),
        f"build {LIBRARY_NAME}: link {' '.join(objects.values())}",
    ]
    return "\n".join(lines) + "\n"


def _escape_ninja(path: str) -> str:
    """A path with the special characters of ninja files escaped."""
    return path.replace("$", "$$").replace(" ", "$ ").replace(":", "$:")


def _find_compiler() -> tuple[str, ...]:
    """The command of the compiler: `CXX`, which may name a launcher and arguments, or the first one installed."""
    preferred = os.environ.get("CXX", "").strip()
    for name in (preferred,) if preferred else COMPILERS:
        if path := shutil.which(name):
            return (path,)
    if preferred:
        with suppress(ValueError):  # quotes that are not closed
            program, *arguments = shlex.split(preferred)
            if path := shutil.which(program):
                return (path, *arguments)
    tried = preferred or ", ".join(COMPILERS)
    raise BuildError(f"no C++ compiler was found for the native ops (tried {tried}); install g++, or set CXX to one")


def _compiler_version(compiler: Sequence[str]) -> str:
    try:
        text = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"{shlex.join(compiler)}: the compiler does not run ({error})") from error
    return text.splitlines()[0] if text else "unknown"


def _processor_features() -> str:
    """Instruction sets that `-march=native` depends on; machines may share one home folder."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.machine())
