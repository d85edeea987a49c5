"""Tensors of torch and arrays of numpy, rebuilt from what a pickle holds of them, inside the bytes that it has."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_stylegan3.io.pickle_reader.interpreter import Stateful
from crowdgan_stylegan3.io.pickle_reader.limits import refused, shown

MAX_DIMS = 16
"""Most dimensions of a tensor or array; a convolution's weight has 4."""

NUMERIC_DTYPE = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248])")
"""Codes of the dtypes that are rebuilt: numbers and truth values, never objects."""

BYTE_ORDERS = ("<", ">", "|", "=")
"""As numpy's dtypes write them in their state."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class StorageType:
    """Stands for `torch.FloatStorage` and its like."""

    dtype: np.dtype[Any]


@dataclass
class PickledStorage:
    """Stands for a storage: the flat numbers that tensors are views of."""

    dtype: np.dtype[Any]
    numel: int
    values: Array | None = None
    """`[numel]`; None until the file's raw bytes are reached."""


@dataclass(frozen=True)
class PickledTensor:
    """Stands for a tensor or parameter."""

    array: Array
    """A view of the storage, not to be written to."""


def rebuild_tensor(
    storage: object,
    offset: object,
    size: object,
    stride: object,
    requires_grad: object = False,
    hooks: object = None,
    metadata: object = None,
) -> PickledTensor:
    """Stands for `torch._utils._rebuild_tensor_v2`.

    Args:
        storage: what holds the numbers.
        offset: index of the first one.
        size: `[dims]` whole numbers.
        stride: `[dims]` whole numbers: how far neighbours along a dimension are apart.
        requires_grad: not used, as what follows.
        hooks: not used.
        metadata: not used.

    Raises:
        CheckpointError: the tensor does not fit into its storage.
    """
    if not isinstance(storage, PickledStorage) or storage.values is None:
        raise refused(f"a tensor of {shown(storage)}, which is no storage")
    sizes, strides = _counts(size), _counts(stride)
    first = _counts((offset,))[0]
    if len(sizes) != len(strides):
        raise refused(f"a tensor with {len(sizes)} sizes and {len(strides)} strides")
    if math.prod(sizes) > storage.numel or first + _reach(sizes, strides) > storage.numel:
        raise refused(f"a tensor of size {sizes}, strides {strides} and offset {first} in a storage of {storage.numel}")
    itemsize = storage.dtype.itemsize
    if 0 in sizes:
        return PickledTensor(np.empty(sizes, storage.dtype))
    steps = tuple(itemsize * step for step in strides)
    return PickledTensor(np.ndarray(sizes, storage.dtype, storage.values.data, itemsize * first, steps))


def rebuild_parameter(
    data: object, requires_grad: object = True, hooks: object = None, state: object = None
) -> PickledTensor:
    """Stands for `torch._utils._rebuild_parameter`, and for the one with a state, which is not used."""
    if not isinstance(data, PickledTensor):
        raise refused(f"a parameter of {shown(data)}, which is no tensor")
    return data


class DTypeRecord(Stateful):
    """Stands for `numpy.dtype`.

    Raises:
        CheckpointError: it is not one of numbers.
    """

    def __init__(self, code: object = None, align: object = False, copy: object = True) -> None:
        if not isinstance(code, str) or not NUMERIC_DTYPE.fullmatch(code):
            raise refused(f"the pickle asks for a numpy dtype {shown(code)}; a model needs numbers alone")
        self.dtype = np.dtype(code)

    def take_state(self, state: object) -> None:
        """Takes the byte order of a state of version 3; what else one can hold belongs to dtypes that are refused."""
        match state:
            case (3, str(order), None, None, None, -1, -1, 0) if order in BYTE_ORDERS:
                self.dtype = self.dtype.newbyteorder(order)  # type: ignore[arg-type]  # one of BYTE_ORDERS
            case _:
                raise refused("the pickle gives a numpy dtype a state that none of numbers has")


class ArrayRecord(Stateful):
    """Stands for `numpy.ndarray`, and for the function that makes an empty one."""

    def __init__(self, *_: object) -> None:
        self.array: Array = np.empty(0)

    def take_state(self, state: object) -> None:
        """Takes a state of version 1: shape, dtype, order and bytes."""
        match state:
            case (1, tuple(shape), DTypeRecord() as dtype, bool(is_fortran), bytes() as data):
                self.array = _array(data, dtype, shape, "F" if is_fortran else "C")
            case _:
                raise refused("the pickle gives a numpy array a state that none of numbers has")


def rebuild_array(data: object, dtype: object, shape: object, order: object, axis_order: object = None) -> ArrayRecord:
    """Stands for `numpy._core.numeric._frombuffer`, by which pickle protocol 5 holds arrays."""
    record = ArrayRecord()
    match (data, dtype, order, axis_order):
        case (bytes(), DTypeRecord(), "C" | "F", None):
            record.array = _array(data, dtype, shape, order)
        case (bytes(), DTypeRecord(), "K", tuple()):
            record.array = _array(data, dtype, shape, "C").transpose(_counts(axis_order))
        case _:
            raise refused("the pickle makes a numpy array of what is no row of numbers")
    return record


def rebuild_scalar(dtype: object, data: object = None) -> bool | int | float:
    """Stands for `numpy.core.multiarray.scalar`: a number as Python has it."""
    if not isinstance(dtype, DTypeRecord) or not isinstance(data, bytes):
        raise refused("the pickle makes a numpy scalar of what is no number")
    value: bool | int | float = _array(data, dtype, (), "C").item()
    return value


def _array(data: bytes, dtype: DTypeRecord, shape: object, order: str) -> Array:
    sizes = _counts(shape)
    if math.prod(sizes) * dtype.dtype.itemsize != len(data):
        raise refused(f"a numpy array of shape {sizes} and dtype {dtype.dtype} with {len(data)} bytes")
    return np.frombuffer(data, dtype.dtype).reshape(sizes, order="F" if order == "F" else "C")


def _counts(values: object) -> tuple[int, ...]:
    """Sizes, strides or offsets, checked."""
    if not isinstance(values, tuple) or len(values) > MAX_DIMS:
        raise refused(f"{shown(values)} where at most {MAX_DIMS} sizes or strides belong")
    for value in values:
        if type(value) is not int or value < 0 or value.bit_length() > 63:
            raise refused(f"a size, stride or offset of {shown(value)}")
    return values


def _reach(sizes: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Numbers of a storage from a tensor's first to its last one."""
    if 0 in sizes:
        return 0
    return 1 + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
