"""Names that an official snapshot may ask for, and their replacements; every other name is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crowdgan_core.errors import CheckpointError
from crowdgan_stylegan3.io.pickle_reader.interpreter import Constructor, NameLookup, check_key
from crowdgan_stylegan3.io.pickle_reader.limits import Budget, describe_value, refusal
from crowdgan_stylegan3.io.pickle_reader.module_records import ModuleRecord, NamedConstant, rebuild_persistent_object
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
"""Old names of modules, as written by protocols below 3."""

TENSORFLOW_NETWORK = ("dnnlib.tflib.network", "Network")
"""Module and class of networks in snapshots of the TensorFlow versions of StyleGAN."""

MAX_NAME_CHARACTERS = 512
"""Maximum length of module and name together; names are copied."""

ITEM_BYTES = 100
"""Approximate memory of a member of a set or dict."""

TORCH_LAYERS = "torch.nn.modules."
"""Start of the modules of torch's layers; each layer becomes an inert record with the name of its class."""

NUMPY_CORE = ("numpy.core", "numpy._core")
"""Modules of the functions in numpy's pickles, of numpy 1 and 2."""

DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
"""Number types, by torch's names."""


def snapshot_name_lookup(budget: Budget) -> NameLookup:
    """A lookup of the names in official snapshots; the budget counts copies by the replacements."""
    table: Mapping[str, object] = {**_python_names(budget), **_torch_names(budget), **_numpy_names()}

    def find_name(module: str, name: str) -> object:
        if len(module) + len(name) > MAX_NAME_CHARACTERS:
            length = len(module) + len(name)
            raise refusal(f"the pickle asks for {describe_value(module)}, a name of {length} characters")
        module = PYTHON_2_MODULES.get(module, module)
        full_name = f"{module}.{name}"
        if (module, name) == TENSORFLOW_NETWORK:
            raise CheckpointError(
                f"a network of a TensorFlow version of StyleGAN ({full_name}); only PyTorch snapshots are supported"
            )
        if full_name in table:
            return table[full_name]
        if module.startswith(TORCH_LAYERS) and name.isidentifier():
            return Constructor(full_name, lambda: ModuleRecord(name))
        raise refusal(f"the pickle asks for {describe_value(full_name)}, which a model does not need")

    return find_name


def _python_names(budget: Budget) -> dict[str, object]:
    def encode(text: str, encoding: str) -> bytes:
        budget.spend_bytes(len(text))
        return text.encode("latin1" if encoding == "latin1" else "ascii")

    def make_dict(pairs: object = ()) -> object:
        return _dict_of_pairs(_check_items(pairs, budget))

    return _constructors(
        {
            "collections.OrderedDict": make_dict,
            "dnnlib.util.EasyDict": make_dict,
            "builtins.object": object,
            "builtins.set": lambda items=(): set(map(check_key, _check_items(items, budget))),
            "builtins.frozenset": lambda items=(): frozenset(map(check_key, _check_items(items, budget))),
            "builtins.bytes": lambda: b"",
            "_codecs.encode": encode,
            "copyreg._reconstructor": _make_empty_object,
            "torch_utils.persistence._reconstruct_persistent_obj": rebuild_persistent_object,
        }
    )


def _torch_names(budget: Budget) -> dict[str, object]:
    constants = [f"torch.{name}" for name in DTYPES]
    return {name: NamedConstant(name) for name in constants} | _constructors(
        {
            "torch.Size": lambda sizes=(): tuple(_check_items(sizes, budget)),
            "torch.device": lambda *parts: NamedConstant(":".join(map(describe_value, parts))),
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


def _constructors(functions: Mapping[str, Callable[..., object]]) -> dict[str, object]:
    return {name: Constructor(name, function) for name, function in functions.items()}


def _check_items(items: object, budget: Budget) -> list[object] | tuple[object, ...]:
    """The given members of a set, dict or size; their copy is counted in the budget.

    Raises:
        CheckpointError: they are neither a list nor a tuple.
    """
    if not isinstance(items, list | tuple):
        raise refusal(f"the pickle makes a collection of {describe_value(items)}; it must be a list")
    budget.spend_bytes(ITEM_BYTES * len(items))
    return items


def _dict_of_pairs(pairs: list[object] | tuple[object, ...]) -> dict[object, object]:
    """Replacement for ordered dicts and dicts with attribute access, which only need the behaviour of a dict."""
    result: dict[object, object] = {}
    for pair in pairs:
        match pair:
            case [key, value]:
                result[check_key(key)] = value
            case _:
                raise refusal(f"the pickle makes a dict of {describe_value(pair)}; it must be pairs")
    return result


def _make_empty_object(cls: object, base: object, state: object) -> object:
    """Replacement for `copyreg._reconstructor`: an empty object of a class in the allowlist."""
    if not isinstance(cls, Constructor) or not isinstance(base, Constructor) or base.name != "builtins.object":
        raise refusal(f"the pickle makes an object of {describe_value(cls)} by copyreg")
    return cls.make()
