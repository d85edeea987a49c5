"""Values of metrics at the snapshots of a training run: the lines of `metric-NAME.jsonl`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.run_folder import snapshot_kimg
from crowdgan_core.utils.formatting import format_duration


@dataclass(frozen=True, kw_only=True)
class MetricRecord:
    """Values of a metric at one snapshot."""

    metric: str
    """Name of the metric."""
    results: Mapping[str, float]
    """Values by key."""
    standard_errors: Mapping[str, float]
    """Standard errors by key, of the values for which they are estimated."""
    kimg: float
    """Thousands of real images shown to the discriminator."""
    num_images: int | None
    """Number of generated images; None in files of the official trainer."""
    seconds: float
    """Duration of the computation."""
    num_gpus: int
    """Number of processes that computed the metric."""
    snapshot: str
    """File name of the snapshot."""
    timestamp: float
    """Seconds since 1970 at the end of the computation."""

    def to_json(self) -> dict[str, Any]:
        """The line: the keys of the official trainer, followed by ours."""
        return {
            "results": dict(self.results),
            "metric": self.metric,
            "total_time": self.seconds,
            "total_time_str": format_duration(self.seconds),
            "num_gpus": self.num_gpus,
            "snapshot_pkl": self.snapshot,
            "timestamp": self.timestamp,
            "kimg": self.kimg,
            "num_images": self.num_images,
            "standard_errors": dict(self.standard_errors),
        }

    @classmethod
    def from_line(cls, line: str) -> MetricRecord | None:
        """The record of a line, ours or the official trainer's; None for an incomplete or damaged line."""
        try:
            data = json.loads(line)
            snapshot = str(data["snapshot_pkl"])
            kimg = data.get("kimg", snapshot_kimg(snapshot))
            record = cls(
                metric=str(data["metric"]),
                results=_numbers(data["results"]),
                standard_errors=_numbers(data.get("standard_errors", {})),
                kimg=float(kimg),
                num_images=data.get("num_images"),
                seconds=float(data.get("total_time", math.nan)),
                num_gpus=int(data.get("num_gpus", 1)),
                snapshot=snapshot,
                timestamp=float(data.get("timestamp", math.nan)),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return record if math.isfinite(record.kimg) else None


def read_metric_records(path: Path) -> list[MetricRecord]:
    """Records of a file `metric-NAME.jsonl`, in order; damaged lines are skipped. Empty if there is no such file.

    Raises:
        DatasetError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    records = (MetricRecord.from_line(line) for line in text.splitlines())
    return [record for record in records if record is not None]


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {str(key): float(value) for key, value in values.items()}
