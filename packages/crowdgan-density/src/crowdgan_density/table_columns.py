"""Types of the columns of tables with densities, also of columns without values."""

from __future__ import annotations

from collections.abc import Iterable

TEXT_COLUMNS = frozenset(
    ("image", "zone", "level", "peak_level", "reason", "warning", "warnings", "estimator", "scale")
)

OTHER_TYPES: dict[str, type] = {"person_count": int, "focal_length_known": bool}


def column_types(names: Iterable[str]) -> dict[str, type]:
    """The type of each column of `report_rows`, `zone_rows` and `series_rows`; most are numbers.

    With them, tables of the same command have the same types in Parquet files, even if all values of a column are
    unknown.
    """
    return {name: str if name in TEXT_COLUMNS else OTHER_TYPES.get(name, float) for name in names}
