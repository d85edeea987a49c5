"""Tables of `crowdgan density series`: density of zones over time, and the levels of their scale."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.table_files import read_table
from crowdgan_core.plugins.discovery import installed_plugins

REQUIRED_COLUMNS = ("time_s", "zone", "density_per_m2")
"""Columns without which a table is not a density series."""


@dataclass(frozen=True, kw_only=True)
class ZoneSeries:
    """Density of one zone over time; NaN where it is unknown."""

    zone: str
    """Name of the zone."""
    times_s: tuple[float, ...]
    """Time of each frame in seconds."""
    densities_per_m2: tuple[float, ...]
    """Density in each frame."""
    intervals_per_m2: tuple[tuple[float, float], ...]
    """95 % interval in each frame."""
    smoothed_per_m2: tuple[float, ...] | None
    """Moving median; None if the table has none."""
    warning_s: float | None
    """Time of the first frame with a warning; None without one."""


@dataclass(frozen=True, kw_only=True)
class Levels:
    """The levels of a scale."""

    classes: tuple[str, ...]
    """Names of the levels, from the least dense."""
    bounds: ClassBounds
    """Boundaries between the levels in persons/m²."""


def read_series(rows: str | Path | Sequence[Mapping[str, Any]]) -> tuple[list[ZoneSeries], Levels | None]:
    """The zones of a table, and the levels of its scale; None if its estimator is not installed.

    Args:
        rows: path of a CSV, JSON, Excel or Parquet table, or its rows.

    Raises:
        DatasetError: the file cannot be read or is not a density series; the message names it.
    """
    where = str(rows) if isinstance(rows, (str, Path)) else "rows"
    table = read_table(Path(rows)) if isinstance(rows, (str, Path)) else list(rows)
    if not table:
        raise DatasetError(f"{where}: the table has no rows")
    for number, row in enumerate(table, 1):
        missing = [name for name in REQUIRED_COLUMNS if name not in row]
        if missing:
            required = "it must be a table of `crowdgan density series --out`"
            raise DatasetError(f"{where}: row {number}: no column {missing[0]}; {required}")
    by_zone: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    for number, row in enumerate(table, 1):
        by_zone.setdefault(str(row["zone"]), []).append((number, row))
    return [_zone_series(zone, items, where) for zone, items in by_zone.items()], _levels(table[0])


def _zone_series(zone: str, rows: Sequence[tuple[int, Mapping[str, Any]]], where: str) -> ZoneSeries:
    def column(name: str) -> tuple[float, ...]:
        return tuple(_number(row, name, f"{where}: row {number}") for number, row in rows)

    times = column("time_s")
    if any(not later > earlier for earlier, later in itertools.pairwise(times)) or math.isnan(times[0]):
        raise DatasetError(f"{where}: time_s of {zone} does not increase from row to row")
    smoothed = column("smoothed_density_per_m2")
    intervals = zip(column("interval_low_per_m2"), column("interval_high_per_m2"), strict=True)
    warned = [(time, row) for time, (_, row) in zip(times, rows, strict=True) if row.get("warning")]
    named = [time for time, row in warned if f" moved at {row.get('image')}: " in str(row["warning"])]
    moved = named or [time for time, _ in warned]  # frames before the movement may have the warning, too
    return ZoneSeries(
        zone=zone,
        times_s=times,
        densities_per_m2=column("density_per_m2"),
        intervals_per_m2=tuple(intervals),
        smoothed_per_m2=None if all(map(math.isnan, smoothed)) else smoothed,
        warning_s=moved[0] if moved else None,
    )


def _number(row: Mapping[str, Any], name: str, where: str) -> float:
    """A number of a row; NaN for an empty or missing cell."""
    value = row.get(name)
    if value is None:
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise DatasetError(f"{where}: {name} is {value!r}; it must be a number, or empty if it is unknown")
    return number


def _levels(row: Mapping[str, Any]) -> Levels | None:
    """The levels of the estimator and scale in a row; None if they are missing or the estimator is not installed."""
    estimator_class = installed_plugins().density_estimators.get(str(row.get("estimator")))
    if estimator_class is None or not row.get("scale"):
        return None
    estimator = configure_estimator(estimator_class, {"scale": str(row["scale"])})
    return None if estimator.class_bounds is None else Levels(classes=estimator.classes, bounds=estimator.class_bounds)
