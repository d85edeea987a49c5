"""Formats and paths of figure files, checked before any work, and the import of matplotlib."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import check_overwrite

FigureFormat = Literal["png", "svg", "pdf"]
"""File formats of figures, which are also the suffixes of their names."""

FIGURE_FORMATS: tuple[FigureFormat, ...] = get_args(FigureFormat)

DEFAULT_SAMPLE = 12
"""Number of images of a source that are plotted if none are named."""

BACKEND_VARIABLE = "MPLBACKEND"
"""Environment variable of matplotlib's backend; notebooks set it for all commands that they run."""


def import_matplotlib() -> None:
    """Imports matplotlib with the backend of `MPLBACKEND`, or without it if it is not installed.

    A notebook's backend need not be installed where its commands run, and files need no backend.
    """
    if "matplotlib" in sys.modules:
        return
    backend = os.environ.pop(BACKEND_VARIABLE, None)
    import matplotlib as mpl

    if backend is not None:
        with suppress(ValueError):
            mpl.rcParams["backend"] = backend
            os.environ[BACKEND_VARIABLE] = backend


def check_figure_path(path: Path, *, overwrite: bool) -> FigureFormat:
    """The format of a figure file that may be written: png, svg or pdf.

    Raises:
        ConfigError: the suffix is not one of these.
        DatasetError: the file exists and `overwrite` is False.
    """
    for file_format in FIGURE_FORMATS:
        if path.suffix.lower() == f".{file_format}":
            check_overwrite(path, overwrite=overwrite)
            return file_format
    raise ConfigError(f"{path}: the file name must end in .png, .svg or .pdf")
