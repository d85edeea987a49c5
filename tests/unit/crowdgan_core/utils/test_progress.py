"""Progress reports as lines of text."""

from __future__ import annotations

from typing import Any

import pytest

from crowdgan_core.utils import progress
from crowdgan_core.utils.progress import LINE_INTERVAL_S, LineProgress


def test_a_line_is_written_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    now_s = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s)  # type: ignore[attr-defined]
    report: Any = LineProgress(lines.append)
    for description in ("first", "second"):
        report.start(description, 40)
        for _ in range(25):
            now_s += LINE_INTERVAL_S / 20
            report.advance()
    assert lines == ["first: 20/40, 2.0/s, ETA 10 s", "second: 20/40, 2.0/s, ETA 10 s"]
