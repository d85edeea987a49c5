"""Progress on a terminal and in other outputs."""

from __future__ import annotations

import io
import re
import sys

import pytest

from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.utils.progress import LineProgress


class Terminal(io.StringIO):
    """A stream in memory that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_bar_per_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with progress_bar() as progress:
        for description, total in (("reading scenes", 2), ("processing images", 3)):
            progress.start(description, total)
            for _ in range(2):
                progress.advance()
    text = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", terminal.getvalue())
    bars = re.findall(r"(reading scenes|processing images) +[━╸╺]+ (\d/\d)", text)
    assert bars[-2:] == [("reading scenes", "2/2"), ("processing images", "2/3")]


def test_other_outputs_have_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_bar() as progress:
        assert isinstance(progress, LineProgress)
