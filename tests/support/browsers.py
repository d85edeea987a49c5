"""The installed browser."""

from __future__ import annotations

import shutil

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def installed_browser() -> str:
    """Path of the installed browser; without one, the test is skipped."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"no browser is installed; install one of {', '.join(BROWSERS)}")
    return executable
