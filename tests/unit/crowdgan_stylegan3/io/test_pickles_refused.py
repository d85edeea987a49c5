"""Snapshots that are no plain model: each is refused by what it asks for, and nothing in it runs.

The pickles are made up here; the form of the honest ones is written from facts, see `tests.support.official_snapshots`.
"""

from __future__ import annotations

import builtins
import copyreg
import functools
import io
import operator
import os
import pickle
import pickletools
import struct
import subprocess
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdgan_core.errors import CheckpointError
from crowdgan_stylegan3.io.pickle_reader import interpreter as machine
from crowdgan_stylegan3.io.pickle_reader import limits as stream
from crowdgan_stylegan3.io.pickle_reader import read_networks
from tests.support.official_snapshots import Generator, Network, dumps, small_generator, snapshot, write_snapshot

MEGABYTE = 1 << 20


class Calls:
    """Pickles as a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[Path]:
    """A file that the malicious pickles would make; it must not be there at the end."""
    path = tmp_path / "marker"
    yield path
    assert not path.exists()


def refusal(tmp_path: Path, data: bytes) -> str:
    """The error that the bytes end in, without its path."""
    path = tmp_path / "s.pkl"
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        read_networks(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message) < len(str(path)) + 400
    assert message.isprintable()
    return message.removeprefix(f"{path}: ")


def not_needed(name: str) -> str:
    return f"refused: the pickle asks for {name}, which a model does not need"


MALICIOUS: dict[str, Callable[[Path], Any]] = {
    f"{os.name}.system": lambda marker: Calls(os.system, f"touch {marker}"),
    "builtins.eval": lambda marker: Calls(eval, f"open({str(marker)!r}, 'w')"),
    "builtins.exec": lambda marker: Calls(exec, f"open({str(marker)!r}, 'w')"),
    "builtins.getattr": lambda marker: Calls(getattr, "os", "system"),
    "builtins.__import__": lambda marker: Calls(builtins.__import__, "os"),
    "subprocess.Popen": lambda marker: Calls(subprocess.Popen, ["touch", str(marker)]),
    "functools.partial": lambda marker: functools.partial(os.system, f"touch {marker}"),
    "operator.attrgetter": lambda marker: operator.attrgetter("system"),
    "torch.serialization.load": lambda marker: Calls(torch.load, str(marker)),
    "torch.hub.load": lambda marker: Calls(torch.hub.load, str(marker), "model"),
    "pathlib.Path.touch": lambda marker: Calls(Path.touch, marker),
    "builtins.complex": lambda marker: 1j,
    "tests.support.official_snapshots.Network": lambda marker: Network,
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", [name for name in MALICIOUS if name != "pathlib.Path.touch"])
def test_a_pickle_that_asks_for_code_is_refused_by_name(tmp_path: Path, marker: Path, name: str, protocol: int) -> None:
    value = {"G": None, "extra": MALICIOUS[name](marker)}
    message = refusal(tmp_path, pickle.dumps(value, protocol))
    message = message.replace("commands.Popen", "subprocess.Popen")  # its name in Python 2, which protocol 2 writes
    if name == "torch.hub.load" or not name.startswith("torch"):
        assert message == not_needed(name)
    else:
        assert message.startswith("refused: the pickle asks for torch.")


def test_a_method_is_refused_whatever_way_it_is_asked_for(tmp_path: Path, marker: Path) -> None:
    message = refusal(tmp_path, pickle.dumps(MALICIOUS["pathlib.Path.touch"](marker), 4))
    assert message.startswith("refused: the pickle asks for ")
    for module, name in [("collections", "OrderedDict.fromkeys"), ("torch", "os.system"), ("", ""), ("os", "system")]:
        asked = pickle.PROTO + b"\x04" + text(module) + text(name) + pickle.STACK_GLOBAL + b"."
        assert refusal(tmp_path, asked) == not_needed(f"{module}.{name}")


def test_code_in_a_networks_settings_and_layers_is_refused(tmp_path: Path, marker: Path) -> None:
    evil = Calls(os.system, f"touch {marker}")
    layered = Network()
    layered.child = Generator(evil)
    for network in [Generator(evil), Generator(setting={"a": [evil]}), layered]:
        assert refusal(tmp_path, dumps(snapshot(G=network), 4)) == not_needed(f"{os.name}.system")


def loads_bytes(data: bytes) -> bytes:
    """A pickle of a tensor whose storage is the given file of torch.save."""
    storage = Calls(torch.storage._load_from_bytes, data)
    return pickle.dumps({"G": Calls(torch._utils._rebuild_tensor_v2, storage, 0, (1,), (1,), False, {})}, 4)


@pytest.mark.parametrize("is_zip", [False, True])
def test_code_in_the_bytes_of_a_storage_is_refused(tmp_path: Path, marker: Path, is_zip: bool) -> None:
    file = io.BytesIO()
    torch.save(Calls(os.system, f"touch {marker}"), file, _use_new_zipfile_serialization=is_zip)
    message = refusal(tmp_path, loads_bytes(file.getvalue()))
    assert message == f"refused: a storage inside the pickle asks for {os.name}.system, which a model does not need"


def test_bytes_of_a_storage_that_load_bytes_again_are_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    torch.save(Calls(torch.storage._load_from_bytes, b""), file, _use_new_zipfile_serialization=False)
    message = refusal(tmp_path, loads_bytes(file.getvalue()))
    assert "asks for torch.storage._load_from_bytes" in message


def test_copyreg_makes_no_object_of_another_class(tmp_path: Path) -> None:
    make = copyreg._reconstructor  # type: ignore[attr-defined]
    assert refusal(tmp_path, pickle.dumps(Calls(make, subprocess.Popen, object, None), 4)) == not_needed(
        "subprocess.Popen"
    )
    message = refusal(tmp_path, pickle.dumps(Calls(make, 3, object, None), 4))
    assert message == "refused: the pickle makes an object of 3 by copyreg"


def test_arrays_of_objects_are_refused(tmp_path: Path, marker: Path) -> None:
    array = np.array([Calls(os.system, f"touch {marker}")], dtype=object)
    for protocol in (2, 4, 5):
        message = refusal(tmp_path, pickle.dumps(array, protocol))
        assert message == "refused: the pickle asks for a numpy dtype O8; a model needs numbers alone"
    for dtype in ("M8[s]", "S4", "c8", [("a", "f4")]):
        assert "a model needs numbers alone" in refusal(tmp_path, pickle.dumps(np.zeros(2, dtype), 4))


def test_a_tensorflow_pickle_is_called_what_it_is(tmp_path: Path) -> None:
    data = pickle.PROTO + b"\x04" + text("dnnlib.tflib.network") + text("Network") + pickle.STACK_GLOBAL + b"."
    assert refusal(tmp_path, data) == (
        "a network of the TensorFlow versions of StyleGAN (dnnlib.tflib.network.Network); those of PyTorch are read"
    )


def text(value: str) -> bytes:
    data = value.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(data)) + data


HUGE = 1 << 62

OPCODES = {
    "extension 1": (b"\x80\x02\x82\x01.", "the pickle uses the opcode EXT1, which a model does not need"),
    "extension 4": (b"\x80\x02\x84\x01\0\0\0.", "the pickle uses the opcode EXT4, which a model does not need"),
    "instance": (b"(ios\nsystem\n.", "the pickle uses the opcode INST, which a model does not need"),
    "object": (b"(cos\nsystem\no.", "the pickle asks for os.system, which a model does not need"),
    "text id": (b"Pid\n.", "the pickle uses the opcode PERSID, which a model does not need"),
    "buffer": (b"\x80\x05\x97.", "the pickle uses the opcode NEXT_BUFFER, which a model does not need"),
    "keywords": (b"\x80\x04N)}\x92.", "the pickle uses the opcode NEWOBJ_EX, which a model does not need"),
    "persistent id": (
        b"\x80\x02NQ.",
        "the pickle refers to an object outside itself (a persistent id), which a model does not need",
    ),
    "frame": (b"\x80\x04\x95" + struct.pack("<Q", HUGE) + b"N.", f"a frame of {HUGE} bytes where 2 are left"),
    "call of a value": (b"\x80\x02K\x01)R.", "the pickle calls 1, which is no constructor of a model's parts"),
    "new of a value": (b"\x80\x02])\x81.", "the pickle calls a list, which is no constructor of a model's parts"),
    "call with a list": (
        b"\x80\x02ccollections\nOrderedDict\n]R.",
        "the pickle calls collections.OrderedDict with a list as its arguments",
    ),
    "call with many arguments": (
        b"\x80\x02ctorch\ndevice\n(" + b"N" * 9 + b"tR.",
        "the pickle calls torch.device with 9 arguments",
    ),
    "state of a value": (b"\x80\x02}}b.", "the pickle sets the state of a dict, which has none"),
    "state of a constructor": (
        b"\x80\x02ccollections\nOrderedDict\n}b.",
        "the pickle sets the state of a Constructor, which has none",
    ),
    "append to a dict": (b"\x80\x02}Na.", "the pickle fills a dict as if it were a list"),
    "name that is none": (b"\x80\x04NN\x93.", "the pickle asks for None.None, which is no name"),
    "recall": (b"\x80\x02j\xff\xff\xff\xff.", "the pickle recalls value 4294967295, which it has not stored"),
    "key of tuples": (b"\x80\x02}))\x86Ns.", "the pickle has a tuple as a key; a model's are texts and small numbers"),
    "large key": (
        b"\x80\x02}\x8a\x06\0\0\0\0\0\x01Ns.",
        "the pickle has 1099511627776 as a key; a model's are texts and small numbers",
    ),
    "member of a set": (
        b"\x80\x04\x8f()\x90.",
        "the pickle has a tuple as a key; a model's are texts and small numbers",
    ),
    "large number": (
        b"\x80\x02\x8a\xff" + b"\x7f" * 255 + b".",
        "the pickle has a whole number of 2039 bits, which a model does not need",
    ),
    "long line": (
        b"\x80\x02c" + b"o" * 5000 + b"\nsystem\n.",
        "the pickle has a line of 1024 bytes or more where a name belongs",
    ),
    "long name": (
        b"\x80\x04" + text("torch.nn.modules.a" * 100) + text("B") + b"\x93.",
        f"the pickle asks for {'torch.nn.modules.a' * 5}torch.nn.m…, a name of 1801 characters",
    ),
}


@pytest.mark.parametrize("case", OPCODES)
def test_opcodes_that_a_model_does_not_need_are_refused(tmp_path: Path, case: str) -> None:
    data, problem = OPCODES[case]
    assert refusal(tmp_path, data) == f"refused: {problem}"


@pytest.mark.parametrize(
    "opcode",
    [
        pickle.BINBYTES8 + struct.pack("<Q", HUGE),
        pickle.BINUNICODE8 + struct.pack("<Q", HUGE),
        pickle.BYTEARRAY8 + struct.pack("<Q", HUGE),
        pickle.BINBYTES8 + b"\xff" * 8,
        pickle.BINBYTES + b"\xff" * 4,
        pickle.BINUNICODE + b"\xff" * 4,
        pickle.LONG4 + b"\xff\xff\xff\x7f",
        pickle.LONG4 + b"\xff\xff\xff\xff",
        b"N" + pickle.LONG_BINPUT + b"\xff\xff\xff\x7f",
        pickle.FRAME + struct.pack("<Q", HUGE),
    ],
    ids=lambda opcode: opcode.hex(),
)
def test_declared_lengths_take_no_memory(tmp_path: Path, opcode: bytes) -> None:
    assert peak_of(lambda: refusal(tmp_path, b"\x80\x05" + opcode + b".")) < MEGABYTE


def peak_of(action: Callable[[], object]) -> int:
    """Most memory that Python held during the action, in bytes."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def tensor(storage: Any, offset: Any, size: Any, stride: Any) -> bytes:
    return pickle.dumps({"G": Calls(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, {})}, 4)


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (5,), (1,)),
        (1, (4,), (1,)),
        (0, (2, 2), (3, 1)),
        (0, (HUGE,), (0,)),
        (0, (1 << 32, 1 << 32), (0, 0)),
        (0, (2,), (HUGE,)),
        (5, (), ()),
        (5, (0,), (1,)),
        (HUGE, (1,), (1,)),
        (-1, (1,), (1,)),
        (0, (-1,), (1,)),
        (3, (2,), (-1,)),
        (0, (1 << 70,), (1,)),
        (0, (1, 1), (1,)),
        (0, [1], [1]),
        (0.0, (1,), (1,)),
        (0, (True,), (1,)),
        (None, (1,), (1,)),
        (0, (1,) * 40, (1,) * 40),
    ],
)
def test_tensors_that_do_not_fit_into_their_storage_are_refused(
    tmp_path: Path, offset: Any, size: Any, stride: Any
) -> None:
    data = tensor(Calls(torch.storage._load_from_bytes, saved("stream")), offset, size, stride)
    assert peak_of(lambda: refusal(tmp_path, data)) < MEGABYTE


@pytest.mark.parametrize("storage", [None, b"", "x", [1.0]])
def test_tensors_without_a_storage_are_refused(tmp_path: Path, storage: Any) -> None:
    assert "which is no storage" in refusal(tmp_path, tensor(storage, 0, (1,), (1,)))


def saved(form: str) -> bytes:
    file = io.BytesIO()
    numbers = torch.arange(4.0).untyped_storage()
    storage = torch.storage.TypedStorage(wrap_storage=numbers, dtype=torch.float32, _internal=True)
    torch.save(storage, file, _use_new_zipfile_serialization=form == "zip")
    return file.getvalue()


def test_a_storage_that_says_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    data = saved("stream")
    assert data[-24:-16] == struct.pack("<q", 4)
    for numel in (5, 3, -4, HUGE):
        message = refusal(tmp_path, loads_bytes(data[:-24] + struct.pack("<q", numel) + data[-16:]))
        found = f"{4 * numel} bytes of the 16 left"
        assert message == f"refused: a storage of 4 numbers, for which its file has {found}"
    message = refusal(tmp_path, loads_bytes(data[:-1]))
    assert message == "refused: a storage of 4 numbers, for which its file has 16 bytes of the 15 left"
    assert data.count(b"K\x04N") == 1
    for number in (b"J\xff\xff\xff\xffN", b"J\xff\xff\xff\x7fN", b"\x8a\x0a" + b"\x7f" * 10 + b"N", b"K\x04K\x01"):
        assert refusal(tmp_path, loads_bytes(data.replace(b"K\x04N", number))).startswith("refused: a")
    assert refusal(tmp_path, loads_bytes(b"\x80\x02K\x00." * 5)) == (
        "refused: the bytes of a storage are no file of torch.save"
    )


def rezipped(data: bytes, change: Callable[[str, bytes], bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return file.getvalue()


def test_archives_that_unfold_or_lack_numbers_are_refused(tmp_path: Path) -> None:
    data = saved("zip")
    squeezed = rezipped(data, lambda _, entry: entry, zipfile.ZIP_DEFLATED)
    assert "a compressed or encrypted entry" in refusal(tmp_path, loads_bytes(squeezed))
    short = rezipped(data, lambda name, entry: entry[:-1] if "/data/" in name else entry)
    assert refusal(tmp_path, loads_bytes(short)).startswith(
        "refused: a storage of 4 numbers, for which its file has 15 bytes"
    )
    big = rezipped(data, lambda name, entry: b"big" if name.endswith("byteorder") else entry)
    assert refusal(tmp_path, loads_bytes(big)) == "refused: a storage that was written on a big-endian machine"
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(200):
            archive.writestr(str(number), b"")
    assert "more than 100 entries" in refusal(tmp_path, loads_bytes(many.getvalue()))


def test_an_array_that_says_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    reduced = pickle.dumps(np.zeros((2, 3)), 4)
    assert reduced.count(b"K\x02K\x03\x86") == 1
    message = refusal(tmp_path, reduced.replace(b"K\x02K\x03\x86", b"K\x02K\xff\x86"))
    assert message == "refused: a numpy array of shape (2, 255) and dtype float64 with 48 bytes"


def looped() -> Any:
    """A network that is its own layer twice: walked without a limit, it never ends."""
    network = Network()
    network._modules.update(a=network, b=network)
    return network


def doubled(depth: int) -> Any:
    """Lists of twice the same list: 2^depth values in a few bytes."""
    value: Any = []
    for _ in range(depth):
        value = [value, value]
    return value


def test_networks_and_settings_that_hold_themselves_are_refused(tmp_path: Path) -> None:
    ring: list[Any] = []
    ring.append(ring)
    deep: Any = 0
    for _ in range(300):
        deep = (deep,)
    for value in (ring, deep, doubled(30)):
        message = refusal(tmp_path, dumps(snapshot(G=Generator(setting=value)), 4))
        assert message == "refused: settings nested more than 32 deep, or of more than 10000 values"
    assert refusal(tmp_path, dumps(snapshot(G=looped()), 4)) == "refused: layers nested more than 32 deep"


def test_networks_with_too_many_layers_are_refused(tmp_path: Path) -> None:
    layer = Network()
    for _ in range(20):
        outer = Network()
        outer._modules.update(a=layer, b=layer)
        layer = outer
    assert refusal(tmp_path, dumps(snapshot(G=layer), 4)) == "refused: a network of more than 10000 layers"


def test_deeply_nested_values_end_in_an_error(tmp_path: Path) -> None:
    for nest in (b"]", b"}K\x01", b"("):
        close = {b"]": b"a", b"}K\x01": b"s", b"(": b"t"}[nest]
        data = b"\x80\x02" + nest * 100_000 + b"N" + close * 100_000 + b"."
        assert "without networks" in refusal(tmp_path, data)


def test_endless_pickles_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_STEPS", 1000)
    assert refusal(tmp_path, b"\x80\x02" + b"]" * 1001 + b".") == "refused: the pickle has more than 1000 opcodes"


def test_copies_of_what_is_shared_are_counted(tmp_path: Path) -> None:
    big = torch.nn.Parameter(torch.zeros([300_000]))
    network = Network()
    network._parameters.update({f"weight{number}": big for number in range(100)})
    message = refusal(tmp_path, dumps(snapshot(G=network), 4))
    assert message == "refused: the pickle asks for far more memory than it has bytes"
    data = b"\x80\x02c_codecs\nencode\nq\x00" + text("a" * MEGABYTE) + b"q\x01" + text("latin1") + b"q\x02"
    data += b"h\x00h\x01h\x02\x86R" * 100 + b"."
    assert refusal(tmp_path, data) == "refused: the pickle asks for far more memory than it has bytes"


def test_what_is_no_layer_parameter_or_name_is_refused(tmp_path: Path) -> None:
    for part, problem in [
        ({"_modules": {"a": 3}}, "3 where the layer a belongs"),
        ({"_modules": []}, "a list as the _modules of a network"),
        ({"_parameters": {"a": "x"}}, "x where the parameter or buffer a belongs"),
        ({"_parameters": {"a.b": None}}, "a layer, parameter or setting is called 'a.b'"),
        ({"_buffers": {"": None}}, "a layer, parameter or setting is called ''"),
        ({"_init_kwargs": {"a": Generator()}}, "a ModuleRecord among the settings of a network"),
    ]:
        network = Generator()
        network.__dict__.update(part)
        assert refusal(tmp_path, dumps(snapshot(G=network), 4)) == f"refused: {problem}"


def test_each_opcode_of_the_machine_is_one_of_pythons() -> None:
    known = {opcode.name for opcode in pickletools.opcodes}
    assert {*machine.VALUES, *machine.CONSTANTS, *machine.EMPTY, *machine.ACTIONS} <= known


WHOLE = {protocol: dumps(snapshot(G=small_generator()), protocol) for protocol in (2, 4, 5)}
"""Sound snapshots, to be damaged."""


def read_or_refuse(path: Path, data: bytes) -> None:
    """Reads the bytes; anything but success and a `CheckpointError` is a failure of the test."""
    path.write_bytes(data)
    try:
        read_networks(path)
    except CheckpointError as error:
        assert str(error).startswith(f"{path}: ")
        assert str(error).isprintable()


@pytest.mark.parametrize("protocol", WHOLE)
def test_truncated_snapshots_are_errors(tmp_path: Path, protocol: int) -> None:
    data = WHOLE[protocol]
    for length in range(0, len(data), 1 + len(data) // 200):
        refusal(tmp_path, data[:length])


@settings(max_examples=200)
@given(
    protocol=st.sampled_from(sorted(WHOLE)),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_damaged_snapshots_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, protocol: int, flips: list[tuple[float, int]]
) -> None:
    data = bytearray(WHOLE[protocol])
    for place, value in flips:
        data[int(place * len(data))] = value
    read_or_refuse(tmp_path_factory.getbasetemp() / "damaged.pkl", bytes(data))


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    read_or_refuse(tmp_path_factory.getbasetemp() / "any.pkl", data)


def test_a_reader_of_nothing_names_the_file(tmp_path: Path) -> None:
    assert refusal(tmp_path, b"") == (
        "no snapshot of a network, or a damaged one (pickle exhausted before seeing STOP)"
    )
    assert refusal(tmp_path, b"\x80\x02\xff.") == (
        "no snapshot of a network, or a damaged one (at position 2, opcode b'\\\\xff' unknown)"
    )
    write_snapshot(tmp_path / "s.pkl", snapshot(G=small_generator()))
    assert list(read_networks(tmp_path / "s.pkl")) == ["G"]
