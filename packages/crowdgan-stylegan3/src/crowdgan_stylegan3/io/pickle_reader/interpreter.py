"""Follows the opcodes of a pickle, and builds plain values and inert records; calls nothing but functions of ours."""

from __future__ import annotations

import pickletools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, cast

from crowdgan_stylegan3.io.pickle_reader.limits import Budget, Stream, refused, shown

MAX_INT_BITS = 128
"""Largest whole number; the magic number of torch's files has 77 bits."""

MAX_KEY_BITS = 32
"""Largest whole number as a key; larger ones could be chosen to collide."""

MAX_ARGUMENTS = 8
"""Most arguments of a call; a tensor has 7. Each call copies them."""

Find = Callable[[str, str], object]
"""Finds what stands for a module's name; refuses what it does not know."""

PersistentLoad = Callable[[object], object]
"""Finds what stands for an object outside the pickle, by its persistent id."""


@dataclass(frozen=True)
class Constructor:
    """What stands for a class or function that a pickle calls."""

    name: str
    """Its published name, with its module."""

    make: Callable[..., object]
    """What is called in its place."""


class Stateful(ABC):
    """A record that a pickle gives its state to after having made it."""

    @abstractmethod
    def take_state(self, state: object) -> None:
        """Takes the state; called by `BUILD`."""


def read_pickle(stream: Stream, find: Find, budget: Budget, persistent_load: PersistentLoad | None = None) -> object:
    """The value of the pickle that starts in the stream, which is left behind the pickle's end.

    Values are None, bool, int, float, str, bytes, tuple, list, dict, set, frozenset, and what `find` stands in; a dict
    has texts and small numbers as keys alone. They may hold themselves, and share parts.

    Raises:
        CheckpointError: the pickle does what a model's does not: asks for another name, calls what is no constructor,
            has opcodes that pickle protocols 2 to 5 do not write, or takes more than the budget.
        Exception: a damaged pickle.
    """
    machine = _Machine(find, persistent_load)
    for opcode, argument, _ in pickletools.genops(cast("IO[bytes]", stream)):
        budget.spend_step()
        if opcode.name == "FRAME" and cast("int", argument) > stream.left:
            raise refused(f"a frame of {argument} bytes where {stream.left} are left")
        machine.step(opcode.name, argument)
    return machine.pop()


def no_names(module: str, name: str) -> object:
    """Finds nothing: for pickles of plain values."""
    raise refused(f"the pickle asks for {shown(f'{module}.{name}')}, where plain values belong")


class _Machine:
    """Stack and memo of a pickle. Opcodes as `pickletools.opcodes` describes them."""

    def __init__(self, find: Find, persistent_load: PersistentLoad | None) -> None:
        self._find = find
        self._persistent_load = persistent_load
        self._stack: list[object] = []
        self._marked: list[list[object]] = []
        self._memo: dict[int, object] = {}

    def step(self, name: str, argument: Any) -> None:
        """Does one opcode."""
        if name in VALUES:
            self._push(_checked(argument))
        elif name in CONSTANTS:
            self._push(CONSTANTS[name])
        elif name in EMPTY:
            self._push(EMPTY[name]())
        elif name in ACTIONS:
            ACTIONS[name](self, argument)
        else:
            raise refused(f"the pickle uses the opcode {name}, which a model does not need")

    def pop(self) -> object:
        """The top of the stack, taken off."""
        return self._stack.pop()

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _nothing(self, argument: Any) -> None:
        """Opcodes that change no value."""

    def _drop(self, argument: Any) -> None:
        if self._stack:
            self.pop()
        else:
            self._pop_mark()

    def _mark(self, argument: Any) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _pop_mark(self) -> list[object]:
        """What was pushed since the last mark."""
        items, self._stack = self._stack, self._marked.pop()
        return items

    def _drop_mark(self, argument: Any) -> None:
        self._pop_mark()

    def _get(self, index: int) -> None:
        if index not in self._memo:
            raise refused(f"the pickle recalls value {index}, which it has not stored")
        self._push(self._memo[index])

    def _put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def _memoize(self, argument: Any) -> None:
        self._put(len(self._memo))

    def _tuple(self, argument: Any) -> None:
        items = self._pop_mark()
        self._push(tuple(items))

    def _frozenset(self, argument: Any) -> None:
        items = self._pop_mark()
        self._push(frozenset(map(checked_key, items)))

    def _append(self, argument: Any) -> None:
        item = self.pop()
        self._top(list).append(item)

    def _appends(self, argument: Any) -> None:
        items = self._pop_mark()
        self._top(list).extend(items)

    def _add_items(self, argument: Any) -> None:
        items = self._pop_mark()
        self._top(set).update(map(checked_key, items))

    def _set_item(self, argument: Any) -> None:
        value, key = self.pop(), self.pop()
        self._top(dict)[checked_key(key)] = value

    def _set_items(self, argument: Any) -> None:
        items = self._pop_mark()
        self._top(dict).update(zip(map(checked_key, items[::2]), items[1::2], strict=True))

    def _top(self, kind: type[Any]) -> Any:
        """The top of the stack, which must be of the kind."""
        top = self._stack[-1]
        if type(top) is not kind:
            raise refused(f"the pickle fills {shown(top)} as if it were a {kind.__name__}")
        return top

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._push(self._find(module, name))

    def _stack_global(self, argument: Any) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise refused(f"the pickle asks for {shown(module)}.{shown(name)}, which is no name")
        self._push(self._find(module, name))

    def _call(self, argument: Any) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Constructor):
            raise refused(f"the pickle calls {shown(function)}, which is no constructor of a model's parts")
        if not isinstance(arguments, tuple):
            raise refused(f"the pickle calls {function.name} with {shown(arguments)} as its arguments")
        if len(arguments) > MAX_ARGUMENTS:
            raise refused(f"the pickle calls {function.name} with {len(arguments)} arguments")
        self._push(function.make(*arguments))

    def _build(self, argument: Any) -> None:
        state, record = self.pop(), self._stack[-1]
        if not isinstance(record, Stateful):
            raise refused(f"the pickle sets the state of {shown(record)}, which has none")
        record.take_state(state)

    def _persistent(self, argument: Any) -> None:
        identity = self.pop()
        if self._persistent_load is None:
            raise refused(
                "the pickle refers to an object outside itself (a persistent id), which a model does not need"
            )
        self._push(self._persistent_load(identity))

    def _tuple_of(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self._push(tuple(reversed(items)))


VALUES = (
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)
"""Opcodes that push their argument."""

CONSTANTS: Mapping[str, object] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}

EMPTY: Mapping[str, Callable[[], object]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}

ACTIONS: Mapping[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _Machine._nothing,
    "FRAME": _Machine._nothing,
    "STOP": _Machine._nothing,
    "MARK": _Machine._mark,
    "POP": _Machine._drop,
    "POP_MARK": _Machine._drop_mark,
    "BINGET": _Machine._get,
    "LONG_BINGET": _Machine._get,
    "BINPUT": _Machine._put,
    "LONG_BINPUT": _Machine._put,
    "MEMOIZE": _Machine._memoize,
    "TUPLE": _Machine._tuple,
    "TUPLE1": lambda machine, _: machine._tuple_of(1),
    "TUPLE2": lambda machine, _: machine._tuple_of(2),
    "TUPLE3": lambda machine, _: machine._tuple_of(3),
    "FROZENSET": _Machine._frozenset,
    "APPEND": _Machine._append,
    "APPENDS": _Machine._appends,
    "ADDITEMS": _Machine._add_items,
    "SETITEM": _Machine._set_item,
    "SETITEMS": _Machine._set_items,
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    "REDUCE": _Machine._call,
    "NEWOBJ": _Machine._call,
    "BUILD": _Machine._build,
    "BINPERSID": _Machine._persistent,
}
"""The other opcodes that pickle protocols 2 to 5 write, but for those of extensions and buffers elsewhere."""


def checked_key(key: object) -> str | int:
    """The key of a dict or member of a set; others could take for ever to hash, or collide by the thousand.

    Raises:
        CheckpointError: it is neither a text nor a small whole number.
    """
    if type(key) is str or (type(key) is int and key.bit_length() <= MAX_KEY_BITS):
        return key
    raise refused(f"the pickle has {shown(key)} as a key; a model's are texts and small numbers")


def _checked(value: object) -> object:
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, int) and value.bit_length() > MAX_INT_BITS:
        raise refused(f"the pickle has a whole number of {value.bit_length()} bits, which a model does not need")
    return value
