"""Timings of the phases of a training step, measured on the device that executes them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class PhaseTimer:
    """Durations by name of the phase; on a GPU between CUDA events, so that the host does not wait."""

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"
        self._spans: dict[str, list[tuple[float, float] | tuple[torch.cuda.Event, torch.cuda.Event]]] = {}

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Context whose duration is recorded under a name."""
        start = self._now()
        yield
        self._spans.setdefault(name, []).append((start, self._now()))  # type: ignore[arg-type]  # both of one type

    def collect_ms(self) -> dict[str, list[float]]:
        """Durations in milliseconds of all measurements since the last call, by name; waits for the device."""
        durations = {name: [_duration_ms(*span) for span in spans] for name, spans in self._spans.items()}
        self._spans.clear()
        return durations

    def _now(self) -> float | torch.cuda.Event:
        if not self._on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event


def _duration_ms(start: float | torch.cuda.Event, end: float | torch.cuda.Event) -> float:
    if isinstance(start, torch.cuda.Event):
        assert isinstance(end, torch.cuda.Event)
        end.synchronize()
        elapsed: float = start.elapsed_time(end)
        return elapsed
    assert isinstance(end, float)
    return (end - start) * 1000
