"""Graceful stop: after Ctrl-C or a termination signal, training finishes its step and writes a checkpoint."""

from __future__ import annotations

import logging
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

logger = logging.getLogger(__name__)

REPEAT_WINDOW_S = 3.0
"""Time after the first signal in which further ones are ignored: torchrun and the terminal both send Ctrl-C."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Context in which the first signal requests a stop, and a second one, after a while, interrupts at once."""

    def __init__(self) -> None:
        self.signal = 0
        """Number of the signal that requested the stop; 0 for none."""
        self._requested_s = 0.0
        self._previous_handlers: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        """Installs the signal handlers if this is the main thread; Python delivers signals to no other thread."""
        if threading.current_thread() is threading.main_thread():
            self._previous_handlers = {number: signal.signal(number, self._handle) for number in STOP_SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restores the previous signal handlers."""
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            if time.monotonic() - self._requested_s > REPEAT_WINDOW_S:
                raise KeyboardInterrupt
            return
        self.signal, self._requested_s = number, time.monotonic()
        logger.info(
            "stopping after this step; a second signal stops at once and discards progress since the last checkpoint"
        )
