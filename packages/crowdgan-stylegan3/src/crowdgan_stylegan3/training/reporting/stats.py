"""Running statistics of training values, accumulated on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from crowdgan_stylegan3.training.runtime.distributed import DistributedContext


@dataclass(frozen=True)
class Statistic:
    """Number, mean and standard deviation of the finite values, and number of the non-finite values."""

    num: int
    mean: float
    std: float
    nonfinite: int = 0

    @classmethod
    def from_value(cls, value: float) -> Statistic:
        """The statistic of a single value."""
        return cls(1, float(value), 0.0)

    def to_json(self) -> dict[str, float]:
        """The entry of a line in `stats.jsonl`."""
        return {"num": self.num, "mean": self.mean, "std": self.std}


class Statistics:
    """Sums of reported values by name. Reporting does not wait for the device."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}

    def report(self, name: str, values: Tensor) -> None:
        """Adds all values of a tensor under a name."""
        values = values.detach().double().flatten()
        finite = values.isfinite()
        finite_values = torch.where(finite, values, 0.0)
        sums = [finite.sum(), finite_values.sum(), finite_values.square().sum(), (~finite).sum()]
        self._add(name, torch.stack(sums))

    def report_per_class(self, name: str, classes: Sequence[str], values: Tensor, one_hot: Tensor) -> None:
        """Adds values `[N, 1]` under `name/CLASS`, according to their labels `[N, num_classes]`."""
        values = values.detach().double()
        finite, labels = values.isfinite(), one_hot.double()
        finite_values = torch.where(finite, values, 0.0)
        columns = torch.cat([finite.double(), finite_values, finite_values.square(), (~finite).double()], dim=1)
        for index, sums in enumerate(labels.t() @ columns):
            self._add(f"{name}/{classes[index]}", sums)

    def _add(self, name: str, sums: Tensor) -> None:
        previous = self._sums.get(name)
        self._sums[name] = sums if previous is None else previous + sums

    def collect(self, context: DistributedContext) -> dict[str, Statistic]:
        """Statistics over all ranks since the last call; waits for the device."""
        if not self._sums:
            return {}
        table = context.all_reduce_sum(torch.stack(list(self._sums.values()))).cpu()
        statistics = {name: _from_sums(row) for name, row in zip(self._sums, table.tolist(), strict=True)}
        self._sums.clear()
        return statistics


def _from_sums(sums: list[float]) -> Statistic:
    """The statistic of `[num, sum, sum of squares, nonfinite]`."""
    num, total, squares, nonfinite = sums
    if num == 0:
        return Statistic(0, float("nan"), float("nan"), int(nonfinite))
    mean = total / num
    return Statistic(int(num), mean, max(squares / num - mean**2, 0.0) ** 0.5, int(nonfinite))
