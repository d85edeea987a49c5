"""pandas tables of dataclasses; pandas is an optional dependency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from crowdgan_core.errors import ConfigError

if TYPE_CHECKING:
    from pandas import DataFrame

PANDAS_EXTRA = "crowdgan-core[pandas]"


def to_frame(records: Iterable[object] | Mapping[str, object]) -> DataFrame:
    """A pandas table with one row per record and one column per field.

    Args:
        records: dataclass objects of one class, for example estimates, reports or image records; or a mapping of
            names to such objects, whose names become the index.

    Raises:
        ConfigError: pandas is not installed, or an object is not a dataclass.
    """
    items = list(records.values() if isinstance(records, Mapping) else records)
    for item in items:
        if not is_dataclass(item) or isinstance(item, type):
            raise ConfigError(f"to_frame: found {type(item).__name__}; records must be dataclass objects")
    rows = [{field.name: getattr(item, field.name) for field in fields(item)} for item in items]
    return frame_of(rows, index=list(records) if isinstance(records, Mapping) else None)


def frame_of(data: Any, index: list[str] | None = None) -> DataFrame:
    """A pandas table of rows or columns.

    Raises:
        ConfigError: pandas is not installed.
    """
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise ConfigError(f"tables need pandas: pip install '{PANDAS_EXTRA}'") from error
    return DataFrame(data, index=index)
