"""Means of what happens in training, kept on the device until somebody asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from crowdgan_stylegan3.training.runtime.distributed import DistributedContext


@dataclass(frozen=True)
class Statistic:
    """Number, mean and standard deviation of finite values, and the number of those that were not."""

    num: int
    mean: float
    std: float
    nonfinite: int = 0

    @classmethod
    def of(cls, value: float) -> Statistic:
        """One value."""
        return cls(1, float(value), 0.0)

    def to_json(self) -> dict[str, float]:
        """The entry of a line in `stats.jsonl`."""
        return {"num": self.num, "mean": self.mean, "std": self.std}


class Statistics:
    """Sums of values by name; adding to them waits for no device."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}

    def report(self, name: str, values: Tensor) -> None:
        """Takes in all values of a tensor."""
        values = values.detach().double().flatten()
        finite = values.isfinite()
        kept = torch.where(finite, values, 0.0)
        self._add(name, torch.stack([finite.sum(), kept.sum(), kept.square().sum(), (~finite).sum()]))

    def report_per_class(self, name: str, classes: Sequence[str], values: Tensor, one_hot: Tensor) -> None:
        """Takes in values `[N, 1]` under `name/CLASS`, by their labels `[N, num_classes]`."""
        values = values.detach().double()
        finite, labels = values.isfinite(), one_hot.double()
        kept = torch.where(finite, values, 0.0)
        columns = torch.cat([finite.double(), kept, kept.square(), (~finite).double()], dim=1)
        for index, sums in enumerate(labels.t() @ columns):
            self._add(f"{name}/{classes[index]}", sums)

    def _add(self, name: str, sums: Tensor) -> None:
        known = self._sums.get(name)
        self._sums[name] = sums if known is None else known + sums

    def collect(self, world: DistributedContext) -> dict[str, Statistic]:
        """Statistics over all processes since the last call; the one place that waits for the device."""
        if not self._sums:
            return {}
        table = world.add_up(torch.stack(list(self._sums.values()))).cpu()
        found = {name: _statistic(row) for name, row in zip(self._sums, table.tolist(), strict=True)}
        self._sums.clear()
        return found


def _statistic(sums: list[float]) -> Statistic:
    num, total, squares, nonfinite = sums
    if num == 0:
        return Statistic(0, float("nan"), float("nan"), int(nonfinite))
    mean = total / num
    return Statistic(int(num), mean, max(squares / num - mean**2, 0.0) ** 0.5, int(nonfinite))
