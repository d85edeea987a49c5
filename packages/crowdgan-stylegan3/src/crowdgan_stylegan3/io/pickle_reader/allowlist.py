"""The names that an official snapshot asks for, and what stands for each; every other one is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crowdgan_core.errors import CheckpointError
from crowdgan_stylegan3.io.pickle_reader.interpreter import Constructor, Find, checked_key
from crowdgan_stylegan3.io.pickle_reader.limits import Budget, refused, shown
from crowdgan_stylegan3.io.pickle_reader.module_records import ModuleRecord, NamedConstant, rebuild_persistent
from crowdgan_stylegan3.io.pickle_reader.storages import load_storage
from crowdgan_stylegan3.io.pickle_reader.tensors import (
    ArrayRecord,
    DTypeRecord,
    rebuild_array,
    rebuild_parameter,
    rebuild_scalar,
    rebuild_tensor,
)

PYTHON_2_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}
"""Modules that protocols below 3 call by their old names."""

TENSORFLOW_NETWORK = ("dnnlib.tflib.network", "Network")
"""What the pickles of the TensorFlow versions of StyleGAN ask for."""

LONGEST_NAME = 512
"""Most characters of a module's and a class's name; they are copied."""

ITEM_BYTES = 100
"""Memory of a member of a set or dict, about."""

LAYERS = "torch.nn.modules."
"""Where torch keeps its layers; each becomes an inert record under the name of its class."""

NUMPY_CORE = ("numpy.core", "numpy._core")
"""Where numpy keeps what its pickles ask for, up to 1 and from 2 on."""

DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
"""Kinds of numbers, as torch names them."""


def names_of_snapshots(budget: Budget) -> Find:
    """Finds what stands for the names that official snapshots ask for; the copies it makes are counted."""
    table: Mapping[str, object] = {**_plain_names(budget), **_torch_names(budget), **_numpy_names()}

    def find(module: str, name: str) -> object:
        if len(module) + len(name) > LONGEST_NAME:
            raise refused(f"the pickle asks for {shown(module)}, a name of {len(module) + len(name)} characters")
        module = PYTHON_2_MODULES.get(module, module)
        full_name = f"{module}.{name}"
        if (module, name) == TENSORFLOW_NETWORK:
            raise CheckpointError(
                f"a network of the TensorFlow versions of StyleGAN ({full_name}); those of PyTorch are read"
            )
        if full_name in table:
            return table[full_name]
        if module.startswith(LAYERS) and name.isidentifier():
            return Constructor(full_name, lambda: ModuleRecord(name))
        raise refused(f"the pickle asks for {shown(full_name)}, which a model does not need")

    return find


def _plain_names(budget: Budget) -> dict[str, object]:
    def encode(text: str, encoding: str) -> bytes:
        budget.spend_bytes(len(text))
        return text.encode("latin1" if encoding == "latin1" else "ascii")

    def ordered(pairs: object = ()) -> object:
        return _dict(_items(pairs, budget))

    return _constructors(
        {
            "collections.OrderedDict": ordered,
            "dnnlib.util.EasyDict": ordered,
            "builtins.object": object,
            "builtins.set": lambda items=(): set(map(checked_key, _items(items, budget))),
            "builtins.frozenset": lambda items=(): frozenset(map(checked_key, _items(items, budget))),
            "builtins.bytes": lambda: b"",
            "_codecs.encode": encode,
            "copyreg._reconstructor": _reconstructor,
            "torch_utils.persistence._reconstruct_persistent_obj": rebuild_persistent,
        }
    )


def _torch_names(budget: Budget) -> dict[str, object]:
    constants = [f"torch.{name}" for name in DTYPES]
    return {name: NamedConstant(name) for name in constants} | _constructors(
        {
            "torch.Size": lambda sizes=(): tuple(_items(sizes, budget)),
            "torch.device": lambda *place: NamedConstant(":".join(map(shown, place))),
            "torch._utils._rebuild_tensor_v2": rebuild_tensor,
            "torch._utils._rebuild_parameter": rebuild_parameter,
            "torch._utils._rebuild_parameter_with_state": rebuild_parameter,
            "torch.storage._load_from_bytes": lambda data=None: load_storage(data, budget),
        }
    )


def _numpy_names() -> dict[str, object]:
    names: dict[str, Callable[..., object]] = {"numpy.dtype": DTypeRecord, "numpy.ndarray": ArrayRecord}
    for core in NUMPY_CORE:
        names[f"{core}.multiarray._reconstruct"] = ArrayRecord
        names[f"{core}.multiarray.scalar"] = rebuild_scalar
        names[f"{core}.numeric._frombuffer"] = rebuild_array
    return _constructors(names)


def _constructors(makers: Mapping[str, Callable[..., object]]) -> dict[str, object]:
    return {name: Constructor(name, make) for name, make in makers.items()}


def _items(items: object, budget: Budget) -> list[object] | tuple[object, ...]:
    """The members that a set, dict or size is made of; the copy is counted.

    Raises:
        CheckpointError: they are neither a list nor a tuple.
    """
    if not isinstance(items, list | tuple):
        raise refused(f"a collection of {shown(items)}; it must be a list")
    budget.spend_bytes(ITEM_BYTES * len(items))
    return items


def _dict(pairs: list[object] | tuple[object, ...]) -> dict[object, object]:
    """Stands for the classes of ordered and attribute-like dicts, which need no more than a dict's behaviour."""
    made: dict[object, object] = {}
    for pair in pairs:
        match pair:
            case [key, value]:
                made[checked_key(key)] = value
            case _:
                raise refused(f"a dict of {shown(pair)}")
    return made


def _reconstructor(kind: object, base: object, state: object) -> object:
    """Stands for `copyreg._reconstructor`: an empty object of a class that is in the table."""
    if not isinstance(kind, Constructor) or not isinstance(base, Constructor) or base.name != "builtins.object":
        raise refused(f"the pickle makes an object of {shown(kind)} by copyreg")
    return kind.make()
