"""Ctrl-C and polite kills: training ends after its step and keeps all it has learned."""

from __future__ import annotations

import logging
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

logger = logging.getLogger(__name__)

ONE_REQUEST_S = 3.0
"""Time in which further signals belong to the first: torchrun hands on what a terminal has sent to all."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """While the context lasts, the first signal asks to stop, and another one later stops at once."""

    def __init__(self) -> None:
        self.signal = 0
        """Number of the signal that asked to stop; 0 for none."""
        self._asked_s = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        """Takes over the signals, in the main thread: only there they arrive."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hands the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            if time.monotonic() - self._asked_s > ONE_REQUEST_S:
                raise KeyboardInterrupt
            return
        self.signal, self._asked_s = number, time.monotonic()
        logger.info("stopping after this step; once more stops at once and loses what came after the last checkpoint")
