"""How long parts of a step take, measured where they run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class PhaseTimer:
    """Times of named parts; on a GPU between events in its queue, so that nothing waits."""

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"
        self._spans: dict[str, list[tuple[float, float] | tuple[torch.cuda.Event, torch.cuda.Event]]] = {}

    @contextmanager
    def measuring(self, name: str) -> Iterator[None]:
        """Measures what the context does."""
        start = self._now()
        yield
        self._spans.setdefault(name, []).append((start, self._now()))  # type: ignore[arg-type]  # both of one kind

    def collect_ms(self) -> dict[str, list[float]]:
        """Milliseconds of each time a part ran since the last call; call it when the device is waited for anyway."""
        found = {name: [_between_ms(*span) for span in spans] for name, spans in self._spans.items()}
        self._spans.clear()
        return found

    def _now(self) -> float | torch.cuda.Event:
        if not self._on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event


def _between_ms(start: float | torch.cuda.Event, end: float | torch.cuda.Event) -> float:
    if isinstance(start, torch.cuda.Event):
        assert isinstance(end, torch.cuda.Event)
        end.synchronize()
        elapsed: float = start.elapsed_time(end)
        return elapsed
    assert isinstance(end, float)
    return (end - start) * 1000
