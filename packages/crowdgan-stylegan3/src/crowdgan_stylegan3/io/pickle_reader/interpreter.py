"""Interpreter of pickle opcodes: builds plain values and inert records, and calls only functions of this package."""

from __future__ import annotations

import pickletools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, cast

from crowdgan_stylegan3.io.pickle_reader.limits import (
    PLACEHOLDER_BYTES,
    Budget,
    Placeholder,
    RefusalError,
    Stream,
    describe_value,
    refusal,
)

MAX_INT_BITS = 128
"""Maximum size of an integer; the magic number in torch's files has 77 bits."""

MAX_KEY_BITS = 32
"""Maximum size of an integer key; larger keys could be chosen to collide."""

MAX_ARGUMENTS = 8
"""Maximum number of arguments of a call, which copies them; a tensor has 7."""

NameLookup = Callable[[str, str], object]
"""Returns the replacement for a module and name; raises `CheckpointError` for an unknown one."""

PersistentLoad = Callable[[object], object]
"""Returns the replacement for an object outside the pickle, by its persistent id."""


@dataclass(frozen=True)
class Constructor:
    """Replacement for a class or function that a pickle calls."""

    name: str
    """Published name, with its module."""

    make: Callable[..., object]
    """Function that is called instead."""


class Stateful(ABC):
    """A record whose state is set after its construction."""

    problem: RefusalError | None = None
    """Why the state was refused; None if it was not."""

    @abstractmethod
    def set_state(self, state: object) -> None:
        """Sets the state; called by `BUILD`."""


def read_pickle(
    stream: Stream,
    find_name: NameLookup,
    budget: Budget,
    persistent_load: PersistentLoad | None = None,
    *,
    refusals: list[RefusalError] | None = None,
) -> object:
    """The value of the pickle at the stream's position, which moves behind the pickle's end.

    Values are None, bool, int, float, str, bytes, tuple, list, dict, set, frozenset, and the replacements that
    `find_name` returns; the keys of a dict are strings and small integers. Values may be shared or contain themselves.

    Args:
        stream: the pickle.
        find_name: returns the replacement for a module and name.
        budget: limits of steps and memory.
        persistent_load: returns the replacement for a persistent id.
        refusals: receives the problems of refused values, which become placeholders; None to raise the first one.

    Raises:
        CheckpointError: the pickle has opcodes that pickle protocols 2 to 5 do not write, or exceeds the budget.
        RefusalError: without `refusals`, if the pickle asks for a name outside the allowlist, or calls something other
            than a constructor.
        Exception: a damaged pickle.
    """
    interpreter = _Interpreter(find_name, budget, persistent_load, refusals)
    for opcode, argument, _ in pickletools.genops(cast("IO[bytes]", stream)):
        budget.spend_step()
        if opcode.name == "FRAME" and cast("int", argument) > stream.remaining:
            raise refusal(f"the pickle has a frame of {argument} bytes, but {stream.remaining} bytes are left")
        interpreter.step(opcode.name, argument)
    return interpreter.pop()


def refuse_all_names(module: str, name: str) -> object:
    """Name lookup for pickles of plain values: raises `CheckpointError` for each name."""
    raise refusal(f"the pickle asks for {describe_value(f'{module}.{name}')}; it must hold plain values only")


class _Interpreter:
    """Stack and memo of a pickle. Opcodes as documented in `pickletools.opcodes`."""

    def __init__(
        self,
        find_name: NameLookup,
        budget: Budget,
        persistent_load: PersistentLoad | None,
        refusals: list[RefusalError] | None,
    ) -> None:
        self._find_name = find_name
        self._budget = budget
        self._persistent_load = persistent_load
        self._refusals = refusals
        self._stack: list[object] = []
        self._outer_stacks: list[list[object]] = []
        self._memo: dict[int, object] = {}

    def step(self, name: str, argument: Any) -> None:
        """Executes one opcode."""
        if name in VALUES:
            self._push(_check_value(argument))
        elif name in CONSTANTS:
            self._push(CONSTANTS[name])
        elif name in EMPTY_CONTAINERS:
            self._push(EMPTY_CONTAINERS[name]())
        elif name in ACTIONS:
            ACTIONS[name](self, argument)
        else:
            raise refusal(f"the pickle uses the opcode {name}, which a model does not need")

    def pop(self) -> object:
        """Removes and returns the top of the stack."""
        return self._stack.pop()

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _refuse(self, problem: RefusalError) -> Placeholder:
        """A placeholder for a refused value; raises the problem if placeholders are not allowed."""
        if self._refusals is None:
            raise problem
        self._budget.spend_bytes(PLACEHOLDER_BYTES)
        problem = problem.with_traceback(None)  # which refers to the values of the file
        self._refusals.append(problem)
        return Placeholder(problem)

    def _check_key(self, key: object) -> object:
        """The given key of a dict or member of a set; a placeholder if it is not allowed."""
        try:
            return key if isinstance(key, Placeholder) else check_key(key)
        except RefusalError as problem:
            return self._refuse(problem)

    def _ignore(self, argument: Any) -> None:
        """Does nothing, for opcodes that change no value."""

    def _drop(self, argument: Any) -> None:
        if self._stack:
            self.pop()
        else:
            self._pop_mark()

    def _mark(self, argument: Any) -> None:
        self._outer_stacks.append(self._stack)
        self._stack = []

    def _pop_mark(self) -> list[object]:
        """Removes and returns the values pushed since the last mark."""
        items, self._stack = self._stack, self._outer_stacks.pop()
        return items

    def _drop_mark(self, argument: Any) -> None:
        self._pop_mark()

    def _get(self, index: int) -> None:
        if index not in self._memo:
            raise refusal(f"the pickle recalls value {index}, which it has not stored")
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
        self._push(frozenset(map(self._check_key, items)))

    def _append(self, argument: Any) -> None:
        item = self.pop()
        self._top(list).append(item)

    def _appends(self, argument: Any) -> None:
        items = self._pop_mark()
        self._top(list).extend(items)

    def _add_items(self, argument: Any) -> None:
        items = self._pop_mark()
        self._top(set).update(map(self._check_key, items))

    def _set_item(self, argument: Any) -> None:
        value, key = self.pop(), self.pop()
        self._top(dict)[self._check_key(key)] = value

    def _set_items(self, argument: Any) -> None:
        items = self._pop_mark()
        self._top(dict).update(zip(map(self._check_key, items[::2]), items[1::2], strict=True))

    def _top(self, container: type[Any]) -> Any:
        """The top of the stack, which must be exactly of the given type; for a placeholder, a container to discard."""
        top = self._stack[-1]
        if isinstance(top, Placeholder):
            return container()
        if type(top) is not container:
            raise refusal(f"the pickle adds items to {describe_value(top)}; it must be a {container.__name__}")
        return top

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._push_named(module, name)

    def _stack_global(self, argument: Any) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise refusal(f"the pickle asks for {describe_value(module)}.{describe_value(name)}, which is not a name")
        self._push_named(module, name)

    def _push_named(self, module: str, name: str) -> None:
        try:
            self._push(self._find_name(module, name))
        except RefusalError as problem:
            self._push(self._refuse(problem))

    def _call(self, argument: Any) -> None:
        arguments, function = self.pop(), self.pop()
        try:
            self._push(_find_placeholder(function, arguments) or _make(function, arguments))
        except RefusalError as problem:
            self._push(self._refuse(problem))

    def _call_with_keywords(self, argument: Any) -> None:
        _, arguments, function = self.pop(), self.pop(), self.pop()
        placeholder = _find_placeholder(function, arguments)
        if placeholder is None:
            raise refusal("the pickle uses the opcode NEWOBJ_EX, which a model does not need")
        self._push(placeholder)

    def _build(self, argument: Any) -> None:
        state, record = self.pop(), self._stack[-1]
        if isinstance(record, Placeholder):
            return
        try:
            if not isinstance(record, Stateful):
                raise refusal(f"the pickle sets the state of {describe_value(record)}, which has no state")
            record.set_state(state)
        except RefusalError as problem:
            placeholder = self._refuse(problem)
            if isinstance(record, Stateful):
                record.problem = placeholder.problem

    def _persistent(self, argument: Any) -> None:
        identity = self.pop()
        if self._persistent_load is None:
            raise refusal("the pickle refers to an external object (a persistent id), which a model does not need")
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
"""Opcodes that push a constant."""

EMPTY_CONTAINERS: Mapping[str, Callable[[], object]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
"""Opcodes that push an empty container."""

ACTIONS: Mapping[str, Callable[[_Interpreter, Any], None]] = {
    "PROTO": _Interpreter._ignore,
    "FRAME": _Interpreter._ignore,
    "STOP": _Interpreter._ignore,
    "MARK": _Interpreter._mark,
    "POP": _Interpreter._drop,
    "POP_MARK": _Interpreter._drop_mark,
    "BINGET": _Interpreter._get,
    "LONG_BINGET": _Interpreter._get,
    "BINPUT": _Interpreter._put,
    "LONG_BINPUT": _Interpreter._put,
    "MEMOIZE": _Interpreter._memoize,
    "TUPLE": _Interpreter._tuple,
    "TUPLE1": lambda interpreter, _: interpreter._tuple_of(1),
    "TUPLE2": lambda interpreter, _: interpreter._tuple_of(2),
    "TUPLE3": lambda interpreter, _: interpreter._tuple_of(3),
    "FROZENSET": _Interpreter._frozenset,
    "APPEND": _Interpreter._append,
    "APPENDS": _Interpreter._appends,
    "ADDITEMS": _Interpreter._add_items,
    "SETITEM": _Interpreter._set_item,
    "SETITEMS": _Interpreter._set_items,
    "GLOBAL": _Interpreter._global,
    "STACK_GLOBAL": _Interpreter._stack_global,
    "REDUCE": _Interpreter._call,
    "NEWOBJ": _Interpreter._call,
    "NEWOBJ_EX": _Interpreter._call_with_keywords,
    "BUILD": _Interpreter._build,
    "BINPERSID": _Interpreter._persistent,
}
"""All other opcodes that pickle protocols 2 to 5 write, except those of extensions and out-of-band buffers."""


def check_key(key: object) -> str | int:
    """The given key of a dict or member of a set, if it is allowed; others could be slow to hash or collide.

    Raises:
        CheckpointError: it is neither a string nor an integer of at most `MAX_KEY_BITS`.
    """
    if type(key) is str or (type(key) is int and key.bit_length() <= MAX_KEY_BITS):
        return key
    raise refusal(f"the pickle has {describe_value(key)} as a key; keys must be strings or small integers")


def _find_placeholder(function: object, arguments: object) -> Placeholder | None:
    """The placeholder that is called, or the first one among the arguments; None if there is none."""
    values = (function, *arguments) if isinstance(arguments, tuple) else (function,)
    return next((value for value in values if isinstance(value, Placeholder)), None)


def _make(function: object, arguments: object) -> object:
    """The result of calling a constructor.

    Raises:
        RefusalError: the function is not a constructor, or the arguments are not a tuple of at most `MAX_ARGUMENTS`.
    """
    if not isinstance(function, Constructor):
        raise refusal(f"the pickle calls {describe_value(function)}, which is not a constructor of a model")
    if not isinstance(arguments, tuple):
        actual = describe_value(arguments)
        raise refusal(f"the pickle calls {function.name} with {actual} as its arguments; they must be a tuple")
    if len(arguments) > MAX_ARGUMENTS:
        raise refusal(
            f"the pickle calls {function.name} with {len(arguments)} arguments; at most {MAX_ARGUMENTS} are allowed"
        )
    return function.make(*arguments)


def _check_value(value: object) -> object:
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, int) and value.bit_length() > MAX_INT_BITS:
        raise refusal(f"the pickle has an integer of {value.bit_length()} bits; at most {MAX_INT_BITS} are allowed")
    return value
