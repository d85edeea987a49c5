"""Stop signals during training."""

from __future__ import annotations

import signal
import sys

import pytest

from crowdgan_stylegan3.training.runtime import signals
from crowdgan_stylegan3.training.runtime.signals import StopRequest

if sys.platform == "win32":
    pytest.skip("requires POSIX signals", allow_module_level=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_requests_a_stop_and_signals_directly_after_it_are_ignored(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert stop.signal == 0
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)
        assert stop.signal == number
    assert signal.getsignal(number) == before


def test_a_later_signal_interrupts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "REPEAT_WINDOW_S", -1.0)
    with pytest.raises(KeyboardInterrupt), StopRequest():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
