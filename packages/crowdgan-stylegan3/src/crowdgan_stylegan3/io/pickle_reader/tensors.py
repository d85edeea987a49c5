"""Tensors of torch and arrays of numpy, rebuilt from their pickled form within the bounds of the bytes they hold."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_stylegan3.io.pickle_reader.interpreter import Stateful
from crowdgan_stylegan3.io.pickle_reader.limits import describe_value, refusal

MAX_DIMS = 16
"""Maximum number of dimensions of a tensor or array; a convolution's weight has 4."""

NUMERIC_DTYPE = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248])")
"""Codes of the allowed dtypes: numbers and Booleans, never objects."""

BYTE_ORDERS = ("<", ">", "|", "=")
"""Byte orders in the state of numpy's dtypes."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class StorageType:
    """Replacement for `torch.FloatStorage` and the other storage classes."""

    dtype: np.dtype[Any]


@dataclass
class PickledStorage:
    """Replacement for a storage: the flat numbers that tensors are views of."""

    dtype: np.dtype[Any]
    numel: int
    values: Array | None = None
    """`[numel]`; None until the raw bytes of the file are read."""


@dataclass(frozen=True)
class PickledTensor:
    """Replacement for a tensor or parameter."""

    array: Array
    """A read-only view of the storage."""


def rebuild_tensor(
    storage: object,
    offset: object,
    size: object,
    stride: object,
    requires_grad: object = False,
    hooks: object = None,
    metadata: object = None,
) -> PickledTensor:
    """Replacement for `torch._utils._rebuild_tensor_v2`.

    Args:
        storage: the storage with the numbers.
        offset: index of the first number.
        size: `[dims]` integers.
        stride: `[dims]` integers: distance between neighbours along a dimension, in numbers.
        requires_grad: unused.
        hooks: unused.
        metadata: unused.

    Raises:
        CheckpointError: the tensor exceeds its storage.
    """
    if not isinstance(storage, PickledStorage) or storage.values is None:
        raise refusal(f"a tensor of {describe_value(storage)}, which is not a storage")
    sizes, strides = _check_sizes(size), _check_sizes(stride)
    first = _check_sizes((offset,))[0]
    if len(sizes) != len(strides):
        raise refusal(f"a tensor with {len(sizes)} sizes and {len(strides)} strides")
    if math.prod(sizes) > storage.numel or first + _extent(sizes, strides) > storage.numel:
        raise refusal(f"a tensor of size {sizes}, strides {strides} and offset {first} in a storage of {storage.numel}")
    itemsize = storage.dtype.itemsize
    if 0 in sizes:
        return PickledTensor(np.empty(sizes, storage.dtype))
    strides_bytes = tuple(itemsize * step for step in strides)
    return PickledTensor(np.ndarray(sizes, storage.dtype, storage.values.data, itemsize * first, strides_bytes))


def rebuild_parameter(
    data: object, requires_grad: object = True, hooks: object = None, state: object = None
) -> PickledTensor:
    """Replacement for `torch._utils._rebuild_parameter` and `_rebuild_parameter_with_state`; ignores the state."""
    if not isinstance(data, PickledTensor):
        raise refusal(f"a parameter of {describe_value(data)}, which is not a tensor")
    return data


class DTypeRecord(Stateful):
    """Replacement for `numpy.dtype`.

    Raises:
        CheckpointError: the dtype is not numeric.
    """

    def __init__(self, code: object = None, align: object = False, copy: object = True) -> None:
        if not isinstance(code, str) or not NUMERIC_DTYPE.fullmatch(code):
            raise refusal(f"the pickle asks for a numpy dtype {describe_value(code)}; only numeric dtypes are allowed")
        self.dtype = np.dtype(code)

    def set_state(self, state: object) -> None:
        """Sets the byte order from a state of version 3; its other fields belong to dtypes that are refused."""
        match state:
            case (3, str(order), None, None, None, -1, -1, 0) if order in BYTE_ORDERS:
                self.dtype = self.dtype.newbyteorder(order)  # type: ignore[arg-type]  # one of BYTE_ORDERS
            case _:
                raise refusal("the pickle sets the state of a numpy dtype to one that no numeric dtype has")


class ArrayRecord(Stateful):
    """Replacement for `numpy.ndarray`, and for the function that makes an empty array."""

    def __init__(self, *_: object) -> None:
        self.array: Array = np.empty(0)

    def set_state(self, state: object) -> None:
        """Sets the numbers from a state of version 1: shape, dtype, order and bytes."""
        match state:
            case (1, tuple(shape), DTypeRecord() as dtype, bool(is_fortran), bytes() as data):
                self.array = _array_from_bytes(data, dtype, shape, "F" if is_fortran else "C")
            case _:
                raise refusal("the pickle sets the state of a numpy array to one that no numeric array has")


def rebuild_array(data: object, dtype: object, shape: object, order: object, axis_order: object = None) -> ArrayRecord:
    """Replacement for `numpy._core.numeric._frombuffer`, which pickles of protocol 5 use for arrays."""
    record = ArrayRecord()
    match (data, dtype, order, axis_order):
        case (bytes(), DTypeRecord(), "C" | "F", None):
            record.array = _array_from_bytes(data, dtype, shape, order)
        case (bytes(), DTypeRecord(), "K", tuple()):
            record.array = _array_from_bytes(data, dtype, shape, "C").transpose(_check_sizes(axis_order))
        case _:
            raise refusal("the pickle makes a numpy array from values that are not a buffer of numbers")
    return record


def rebuild_scalar(dtype: object, data: object = None) -> bool | int | float:
    """Replacement for `numpy.core.multiarray.scalar`: a Python number."""
    if not isinstance(dtype, DTypeRecord) or not isinstance(data, bytes):
        raise refusal("the pickle makes a numpy scalar from a value that is not a number")
    value: bool | int | float = _array_from_bytes(data, dtype, (), "C").item()
    return value


def _array_from_bytes(data: bytes, dtype: DTypeRecord, shape: object, order: str) -> Array:
    sizes = _check_sizes(shape)
    if dtype.problem is not None:
        raise dtype.problem
    if math.prod(sizes) * dtype.dtype.itemsize != len(data):
        raise refusal(f"a numpy array of shape {sizes} and dtype {dtype.dtype} with {len(data)} bytes")
    return np.frombuffer(data, dtype.dtype).reshape(sizes, order="F" if order == "F" else "C")


def _check_sizes(values: object) -> tuple[int, ...]:
    """The given sizes, strides or offsets, if they are valid.

    Raises:
        CheckpointError: they are not a tuple of at most `MAX_DIMS` non-negative integers.
    """
    if not isinstance(values, tuple) or len(values) > MAX_DIMS:
        raise refusal(f"sizes or strides of {describe_value(values)}; they must be a tuple of at most {MAX_DIMS}")
    for value in values:
        if type(value) is not int or value < 0 or value.bit_length() > 63:
            raise refusal(f"a size, stride or offset of {describe_value(value)}")
    return values


def _extent(sizes: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Number of elements of a storage from a tensor's first to its last number."""
    if 0 in sizes:
        return 0
    return 1 + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
