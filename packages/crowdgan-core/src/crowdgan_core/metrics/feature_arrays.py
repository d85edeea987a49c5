"""Checks of feature arrays, and iteration over blocks of their rows with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import ConfigError

Features = npt.NDArray[np.floating[Any]]
"""Features `[num_images, num_features]` in float32 or float64."""

BLOCK_ROWS = 2048
"""Maximum number of rows that are processed at once: 32 MiB as float64 for 2,048 features."""

MAX_MAGNITUDE = 1e15
"""Maximum absolute value of a feature; squared distances of larger ones could exceed the range of float32."""


def row_blocks(num_rows: int, block_rows: int | None = None) -> Iterator[slice]:
    """Consecutive slices of at most `block_rows` rows, by default `BLOCK_ROWS`."""
    step = block_rows or BLOCK_ROWS
    for start in range(0, num_rows, step):
        yield slice(start, min(start + step, num_rows))


def check_features(features: npt.ArrayLike, name: str, min_rows: int = 1) -> Features:
    """The features as an array of float32 or float64; other numbers are converted.

    Args:
        features: `[num_images, num_features]`.
        name: description for messages, for example `real features`.
        min_rows: minimum number of images.

    Raises:
        ConfigError: another number of dimensions, too few images, no features, not numbers, or a value that is not
            finite.
    """
    array = _as_numbers(features, name)
    if array.ndim != 2:
        raise ConfigError(f"{name}: shape {list(array.shape)}; it must be [num_images, num_features]")
    if array.shape[1] == 0:
        raise ConfigError(f"{name}: 0 features per image; at least 1 is needed")
    if len(array) < min_rows:
        raise ConfigError(f"{name}: number of images is {len(array)}; at least {min_rows} are needed")
    check_finite(array, name)
    return array


def check_feature_pair(real: npt.ArrayLike, generated: npt.ArrayLike, min_rows: int) -> tuple[Features, Features]:
    """Real and generated features after `check_features`, with equal numbers of features.

    Raises:
        ConfigError: features that `check_features` refuses, or different numbers of features.
    """
    checked = check_features(real, "real features", min_rows), check_features(generated, "generated features", min_rows)
    check_equal_widths(checked[0].shape[1], checked[1].shape[1])
    return checked


def check_equal_widths(num_real: int, num_generated: int) -> None:
    """Checks that real and generated images have equal numbers of features.

    Raises:
        ConfigError: the numbers differ.
    """
    if num_real != num_generated:
        raise ConfigError(
            f"real images have {num_real} features and generated images {num_generated}; both must come from the same "
            "feature extractor"
        )


def check_finite(array: Features, name: str) -> None:
    """Checks that all values are finite and not larger than `MAX_MAGNITUDE`.

    Raises:
        ConfigError: the first other value, with its row and column.
    """
    for rows in row_blocks(len(array)):
        block = np.abs(array[rows])
        if not block.max(initial=0.0) <= MAX_MAGNITUDE:  # also if the maximum is NaN
            row, column = np.argwhere(~(block <= MAX_MAGNITUDE))[0]
            raise ConfigError(
                f"{name}: row {rows.start + row}, column {column} is {array[rows.start + row, column]}; values must be "
                f"finite, between -{MAX_MAGNITUDE:g} and {MAX_MAGNITUDE:g}"
            )


def check_minimum(value: int, name: str, minimum: int) -> None:
    """Checks an integer parameter.

    Raises:
        ConfigError: the value is less than `minimum`.
    """
    if value < minimum:
        raise ConfigError(f"{name} is {value}; it must be at least {minimum}")


def _as_numbers(features: npt.ArrayLike, name: str) -> Features:
    try:
        array = np.asarray(features)
    except ValueError as error:
        raise ConfigError(f"{name}: rows of different lengths; it must be [num_images, num_features]") from error
    if array.dtype.kind not in "fiub":
        raise ConfigError(f"{name}: type is {array.dtype}; it must be a type of real numbers such as float32")
    dtype = np.float64 if array.dtype.itemsize > 8 else np.result_type(array.dtype, np.float32)
    return array.astype(dtype, copy=False)
