"""Malicious, damaged and invalid snapshots: each is refused with the reason, and nothing in it is executed.

All pickles are synthetic; for the format of valid ones see `tests.support.official_snapshots`.
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
from crowdgan_stylegan3.io.pickle_reader import interpreter, limits, read_networks
from crowdgan_stylegan3.io.pickle_reader.module_records import RECORD_VERSION, ModuleRecord, rebuild_persistent_object
from tests.support.official_snapshots import Generator, Network, pickle_bytes, small_generator, snapshot, write_snapshot

MEBIBYTE = 1 << 20


class Call:
    """An object whose pickle calls a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[Path]:
    """A file that the malicious pickles would create; it must not exist after the test."""
    path = tmp_path / "marker"
    yield path
    assert not path.exists()


def refusal_message(tmp_path: Path, data: bytes) -> str:
    """The error message for these bytes, without the path."""
    path = tmp_path / "s.pkl"
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        read_networks(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message) < len(str(path)) + 400
    assert message.isprintable()
    return message.removeprefix(f"{path}: ")


def name_refusal(name: str) -> str:
    return f"refused: the pickle asks for {name}, which a model does not need"


MALICIOUS: dict[str, Callable[[Path], Any]] = {
    f"{os.name}.system": lambda marker: Call(os.system, f"touch {marker}"),
    "builtins.eval": lambda marker: Call(eval, f"open({str(marker)!r}, 'w')"),
    "builtins.exec": lambda marker: Call(exec, f"open({str(marker)!r}, 'w')"),
    "builtins.getattr": lambda marker: Call(getattr, "os", "system"),
    "builtins.__import__": lambda marker: Call(builtins.__import__, "os"),
    "subprocess.Popen": lambda marker: Call(subprocess.Popen, ["touch", str(marker)]),
    "functools.partial": lambda marker: functools.partial(os.system, f"touch {marker}"),
    "operator.attrgetter": lambda marker: operator.attrgetter("system"),
    "torch.serialization.load": lambda marker: Call(torch.load, str(marker)),
    "torch.hub.load": lambda marker: Call(torch.hub.load, str(marker), "model"),
    "pathlib.Path.touch": lambda marker: Call(Path.touch, marker),
    "builtins.complex": lambda marker: 1j,
    "tests.support.official_snapshots.Network": lambda marker: Network,
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", [name for name in MALICIOUS if name != "pathlib.Path.touch"])
def test_a_pickle_that_calls_code_is_refused_and_the_code_is_named(
    tmp_path: Path, marker: Path, name: str, protocol: int
) -> None:
    value = {"G": None, "extra": MALICIOUS[name](marker)}
    message = refusal_message(tmp_path, pickle.dumps(value, protocol))
    message = message.replace("commands.Popen", "subprocess.Popen")  # protocol 2 writes the name in Python 2
    if name == "torch.hub.load" or not name.startswith("torch"):
        assert message == name_refusal(name)
    else:
        assert message.startswith("refused: the pickle asks for torch.")


def test_methods_and_dotted_names_are_refused(tmp_path: Path, marker: Path) -> None:
    message = refusal_message(tmp_path, pickle.dumps(MALICIOUS["pathlib.Path.touch"](marker), 4))
    assert message.startswith("refused: the pickle asks for ")
    for module, name in [("collections", "OrderedDict.fromkeys"), ("torch", "os.system"), ("", ""), ("os", "system")]:
        data = pickle.PROTO + b"\x04" + text(module) + text(name) + pickle.STACK_GLOBAL + b"."
        assert refusal_message(tmp_path, data) == name_refusal(f"{module}.{name}")


def test_code_in_settings_and_layers_of_a_network_is_refused(tmp_path: Path, marker: Path) -> None:
    evil = Call(os.system, f"touch {marker}")
    layered = Network()
    layered.child = Generator(evil)
    for network in [Generator(evil), Generator(setting={"a": [evil]}), layered]:
        assert refusal_message(tmp_path, pickle_bytes(snapshot(G=network), 4)) == name_refusal(f"{os.name}.system")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", [name for name in MALICIOUS if name != "tests.support.official_snapshots.Network"])
def test_code_outside_the_wanted_network_is_never_executed(
    tmp_path: Path, marker: Path, name: str, protocol: int
) -> None:
    evil = MALICIOUS[name](marker)
    value = snapshot(G_ema=small_generator(), D=Generator(evil), extra={"a": [evil], "b": {(evil,): 1}})
    (tmp_path / "s.pkl").write_bytes(pickle_bytes(value, protocol))
    assert list(read_networks(tmp_path / "s.pkl", ["G_ema"])) == ["G_ema"]
    with pytest.raises(CheckpointError, match="refused: the pickle asks for "):
        read_networks(tmp_path / "s.pkl")


def test_shared_malicious_values_are_refused_in_the_wanted_network(tmp_path: Path, marker: Path) -> None:
    evil = Call(os.system, f"touch {marker}")
    deep: Any = evil
    for _ in range(100):
        deep = [deep]
    for attribute in (evil, deep, {"a": (evil,)}, {3: {4: evil}}):
        generator = small_generator()
        generator.mapping.note = attribute  # type: ignore[assignment]
        message = refusal_message(tmp_path, pickle_bytes({"a": attribute, **snapshot(G_ema=generator)}, 4))
        assert message == name_refusal(f"{os.name}.system")


def test_an_array_with_a_refused_dtype_state_is_refused(tmp_path: Path) -> None:
    data = pickle_bytes(snapshot(G_ema=Generator(gains=np.arange(3.0))), 4)
    state = b"K\x03" + pickle.SHORT_BINUNICODE + b"\x01<"
    assert data.count(state) == 1
    message = refusal_message(tmp_path, data.replace(state, state[:1] + b"\x02" + state[2:]))
    assert message == "refused: the pickle sets the state of a numpy dtype to one that no numeric dtype has"


def test_placeholders_are_counted(tmp_path: Path) -> None:
    data = b"\x80\x02" + b"".join(b"cos\nf%d\n0" % number for number in range(20_000)) + b"}."
    assert refusal_message(tmp_path, data) == "refused: the pickle asks for far more memory than it has bytes"


def pickle_of_storage(data: bytes) -> bytes:
    """A pickle of a tensor whose storage is the given file of torch.save."""
    storage = Call(torch.storage._load_from_bytes, data)
    return pickle.dumps({"G": Call(torch._utils._rebuild_tensor_v2, storage, 0, (1,), (1,), False, {})}, 4)


@pytest.mark.parametrize("is_zip", [False, True])
def test_code_in_the_bytes_of_a_storage_is_refused(tmp_path: Path, marker: Path, is_zip: bool) -> None:
    file = io.BytesIO()
    torch.save(Call(os.system, f"touch {marker}"), file, _use_new_zipfile_serialization=is_zip)
    message = refusal_message(tmp_path, pickle_of_storage(file.getvalue()))
    assert message == f"refused: a storage in the pickle asks for {os.name}.system, which a model does not need"


def test_a_storage_within_a_storage_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    torch.save(Call(torch.storage._load_from_bytes, b""), file, _use_new_zipfile_serialization=False)
    message = refusal_message(tmp_path, pickle_of_storage(file.getvalue()))
    assert "asks for torch.storage._load_from_bytes" in message


def test_copyreg_makes_only_objects_of_allowed_classes(tmp_path: Path) -> None:
    make = copyreg._reconstructor  # type: ignore[attr-defined]
    assert refusal_message(tmp_path, pickle.dumps(Call(make, subprocess.Popen, object, None), 4)) == name_refusal(
        "subprocess.Popen"
    )
    message = refusal_message(tmp_path, pickle.dumps(Call(make, 3, object, None), 4))
    assert message == "refused: the pickle makes an object of 3 by copyreg"


def test_arrays_of_objects_are_refused(tmp_path: Path, marker: Path) -> None:
    array = np.array([Call(os.system, f"touch {marker}")], dtype=object)
    for protocol in (2, 4, 5):
        message = refusal_message(tmp_path, pickle.dumps(array, protocol))
        assert message == "refused: the pickle asks for a numpy dtype O8; only numeric dtypes are allowed"
    for dtype in ("M8[s]", "S4", "c8", [("a", "f4")]):
        assert "only numeric dtypes are allowed" in refusal_message(tmp_path, pickle.dumps(np.zeros(2, dtype), 4))


def test_a_tensorflow_snapshot_is_identified(tmp_path: Path) -> None:
    data = pickle.PROTO + b"\x04" + text("dnnlib.tflib.network") + text("Network") + pickle.STACK_GLOBAL + b"."
    assert refusal_message(tmp_path, data) == (
        "a network of a TensorFlow version of StyleGAN (dnnlib.tflib.network.Network); "
        "only PyTorch snapshots are supported"
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
        "the pickle refers to an external object (a persistent id), which a model does not need",
    ),
    "frame": (
        b"\x80\x04\x95" + struct.pack("<Q", HUGE) + b"N.",
        f"the pickle has a frame of {HUGE} bytes, but 2 bytes are left",
    ),
    "call of a value": (b"\x80\x02K\x01)R.", "the pickle calls 1, which is not a constructor of a model"),
    "new of a value": (b"\x80\x02])\x81.", "the pickle calls a list, which is not a constructor of a model"),
    "call with a list": (
        b"\x80\x02ccollections\nOrderedDict\n]R.",
        "the pickle calls collections.OrderedDict with a list as its arguments; they must be a tuple",
    ),
    "call with many arguments": (
        b"\x80\x02ctorch\ndevice\n(" + b"N" * 9 + b"tR.",
        "the pickle calls torch.device with 9 arguments; at most 8 are allowed",
    ),
    "state of a value": (b"\x80\x02}}b.", "the pickle sets the state of a dict, which has no state"),
    "state of a constructor": (
        b"\x80\x02ccollections\nOrderedDict\n}b.",
        "the pickle sets the state of a Constructor, which has no state",
    ),
    "append to a dict": (b"\x80\x02}Na.", "the pickle adds items to a dict; it must be a list"),
    "name of the wrong type": (b"\x80\x04NN\x93.", "the pickle asks for None.None, which is not a name"),
    "recall": (b"\x80\x02j\xff\xff\xff\xff.", "the pickle recalls value 4294967295, which it has not stored"),
    "key of tuples": (b"\x80\x02}))\x86Ns.", "the pickle has a tuple as a key; keys must be strings or small integers"),
    "large key": (
        b"\x80\x02}\x8a\x06\0\0\0\0\0\x01Ns.",
        "the pickle has 1099511627776 as a key; keys must be strings or small integers",
    ),
    "member of a set": (
        b"\x80\x04\x8f()\x90.",
        "the pickle has a tuple as a key; keys must be strings or small integers",
    ),
    "large number": (
        b"\x80\x02\x8a\xff" + b"\x7f" * 255 + b".",
        "the pickle has an integer of 2039 bits; at most 128 are allowed",
    ),
    "long line": (
        b"\x80\x02c" + b"o" * 5000 + b"\nsystem\n.",
        "the pickle has a line of 1024 bytes or more in place of a name",
    ),
    "long name": (
        b"\x80\x04" + text("torch.nn.modules.a" * 100) + text("B") + b"\x93.",
        f"the pickle asks for {'torch.nn.modules.a' * 5}torch.nn.m…, a name of 1801 characters",
    ),
}


@pytest.mark.parametrize("case", OPCODES)
def test_invalid_opcodes_and_operands_are_refused(tmp_path: Path, case: str) -> None:
    data, problem = OPCODES[case]
    assert refusal_message(tmp_path, data) == f"refused: {problem}"


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
def test_declared_lengths_allocate_no_memory(tmp_path: Path, opcode: bytes) -> None:
    assert peak_memory(lambda: refusal_message(tmp_path, b"\x80\x05" + opcode + b".")) < MEBIBYTE


def peak_memory(action: Callable[[], object]) -> int:
    """Maximum memory that Python allocated during the action, in bytes."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def pickle_of_tensor(storage: Any, offset: Any, size: Any, stride: Any) -> bytes:
    return pickle.dumps({"G": Call(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, {})}, 4)


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
def test_tensors_that_exceed_their_storage_are_refused(tmp_path: Path, offset: Any, size: Any, stride: Any) -> None:
    data = pickle_of_tensor(Call(torch.storage._load_from_bytes, saved_storage("stream")), offset, size, stride)
    assert peak_memory(lambda: refusal_message(tmp_path, data)) < MEBIBYTE


@pytest.mark.parametrize("storage", [None, b"", "x", [1.0]])
def test_tensors_without_a_storage_are_refused(tmp_path: Path, storage: Any) -> None:
    assert "which is not a storage" in refusal_message(tmp_path, pickle_of_tensor(storage, 0, (1,), (1,)))


def saved_storage(format: str) -> bytes:
    file = io.BytesIO()
    numbers = torch.arange(4.0).untyped_storage()
    storage = torch.storage.TypedStorage(wrap_storage=numbers, dtype=torch.float32, _internal=True)
    torch.save(storage, file, _use_new_zipfile_serialization=format == "zip")
    return file.getvalue()


def test_a_storage_with_a_wrong_number_of_elements_is_refused(tmp_path: Path) -> None:
    data = saved_storage("stream")
    assert data[-24:-16] == struct.pack("<q", 4)
    for numel in (5, 3, -4, HUGE):
        message = refusal_message(tmp_path, pickle_of_storage(data[:-24] + struct.pack("<q", numel) + data[-16:]))
        actual = f"{4 * numel} bytes of the 16 left"
        assert message == f"refused: a storage of 4 numbers, for which its file has {actual}"
    message = refusal_message(tmp_path, pickle_of_storage(data[:-1]))
    assert message == "refused: a storage of 4 numbers, for which its file has 16 bytes of the 15 left"
    assert data.count(b"K\x04N") == 1
    for number in (b"J\xff\xff\xff\xffN", b"J\xff\xff\xff\x7fN", b"\x8a\x0a" + b"\x7f" * 10 + b"N", b"K\x04K\x01"):
        assert refusal_message(tmp_path, pickle_of_storage(data.replace(b"K\x04N", number))).startswith("refused: a")
    assert refusal_message(tmp_path, pickle_of_storage(b"\x80\x02K\x00." * 5)) == (
        "refused: the bytes of a storage are not a file of torch.save"
    )


def rewrite_zip(data: bytes, change: Callable[[str, bytes], bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return file.getvalue()


def test_archives_that_are_compressed_or_incomplete_are_refused(tmp_path: Path) -> None:
    data = saved_storage("zip")
    compressed = rewrite_zip(data, lambda _, entry: entry, zipfile.ZIP_DEFLATED)
    assert "a compressed or encrypted entry" in refusal_message(tmp_path, pickle_of_storage(compressed))
    short = rewrite_zip(data, lambda name, entry: entry[:-1] if "/data/" in name else entry)
    assert refusal_message(tmp_path, pickle_of_storage(short)).startswith(
        "refused: a storage of 4 numbers, for which its file has 15 bytes"
    )
    big = rewrite_zip(data, lambda name, entry: b"big" if name.endswith("byteorder") else entry)
    assert refusal_message(tmp_path, pickle_of_storage(big)) == (
        "refused: a storage from a big-endian machine; only little-endian files are supported"
    )
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(200):
            archive.writestr(str(number), b"")
    assert "more than 100 entries" in refusal_message(tmp_path, pickle_of_storage(many.getvalue()))


def test_an_array_larger_than_its_bytes_is_refused(tmp_path: Path) -> None:
    reduced = pickle.dumps(np.zeros((2, 3)), 4)
    assert reduced.count(b"K\x02K\x03\x86") == 1
    message = refusal_message(tmp_path, reduced.replace(b"K\x02K\x03\x86", b"K\x02K\xff\x86"))
    assert message == "refused: a numpy array of shape (2, 255) and dtype float64 with 48 bytes"


def recursive_network() -> Any:
    """A network that contains itself twice; without a limit on depth it has infinitely many layers."""
    network = Network()
    network._modules.update(a=network, b=network)
    return network


def nested_lists(depth: int) -> Any:
    """Lists of the same list twice: 2^depth values in a few bytes."""
    value: Any = []
    for _ in range(depth):
        value = [value, value]
    return value


def test_networks_and_settings_that_contain_themselves_are_refused(tmp_path: Path) -> None:
    ring: list[Any] = []
    ring.append(ring)
    deep: Any = 0
    for _ in range(300):
        deep = (deep,)
    for value in (ring, deep, nested_lists(30)):
        message = refusal_message(tmp_path, pickle_bytes(snapshot(G=Generator(setting=value)), 4))
        assert message == "refused: settings nested more than 32 deep, or of more than 10000 values"
    assert (
        refusal_message(tmp_path, pickle_bytes(snapshot(G=recursive_network()), 4))
        == "refused: layers nested more than 32 deep"
    )


def test_networks_with_too_many_layers_are_refused(tmp_path: Path) -> None:
    layer = Network()
    for _ in range(20):
        outer = Network()
        outer._modules.update(a=layer, b=layer)
        layer = outer
    assert (
        refusal_message(tmp_path, pickle_bytes(snapshot(G=layer), 4)) == "refused: a network of more than 10000 layers"
    )


def test_deeply_nested_values_end_in_an_error(tmp_path: Path) -> None:
    for nest in (b"]", b"}K\x01", b"("):
        close = {b"]": b"a", b"}K\x01": b"s", b"(": b"t"}[nest]
        data = b"\x80\x02" + nest * 100_000 + b"N" + close * 100_000 + b"."
        assert "without networks" in refusal_message(tmp_path, data)


def test_endless_pickles_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_STEPS", 1000)
    assert (
        refusal_message(tmp_path, b"\x80\x02" + b"]" * 1001 + b".") == "refused: the pickle has more than 1000 opcodes"
    )


def test_copies_of_shared_values_are_counted(tmp_path: Path) -> None:
    big = torch.nn.Parameter(torch.zeros([300_000]))
    network = Network()
    network._parameters.update({f"weight{number}": big for number in range(100)})
    message = refusal_message(tmp_path, pickle_bytes(snapshot(G=network), 4))
    assert message == "refused: the pickle asks for far more memory than it has bytes"
    data = b"\x80\x02c_codecs\nencode\nq\x00" + text("a" * MEBIBYTE) + b"q\x01" + text("latin1") + b"q\x02"
    data += b"h\x00h\x01h\x02\x86R" * 100 + b"."
    assert refusal_message(tmp_path, data) == "refused: the pickle asks for far more memory than it has bytes"


def test_invalid_layers_parameters_and_names_are_refused(tmp_path: Path) -> None:
    for part, problem in [
        ({"_modules": {"a": 3}}, "3 in place of the layer a"),
        ({"_modules": []}, "a list as the _modules of a network; it must be a dict"),
        ({"_parameters": {"a": "x"}}, "x in place of the parameter or buffer a"),
        ({"_parameters": {"a.b": None}}, "a layer, parameter or setting with the invalid name 'a.b'"),
        ({"_buffers": {"": None}}, "a layer, parameter or setting with the invalid name ''"),
        ({"_init_kwargs": {"a": Generator()}}, "a ModuleRecord in the settings of a network"),
    ]:
        network = Generator()
        network.__dict__.update(part)
        assert refusal_message(tmp_path, pickle_bytes(snapshot(G=network), 4)) == f"refused: {problem}"


def test_records_of_another_version_or_format_are_refused() -> None:
    record = {"type": "class", "version": RECORD_VERSION, "class_name": "Generator", "state": {"z_dim": 512}}
    assert rebuild_persistent_object(record).attributes == {"z_dim": 512}
    with pytest.raises(CheckpointError, match="the record of Generator has version 7; it must be 6"):
        rebuild_persistent_object(record | {"version": 7})
    for invalid in (record | {"type": "function"}, record | {"version": "6"}, record | {"state": [1]}, [record], None):
        with pytest.raises(CheckpointError, match="the record of a network has no valid type, version, class name"):
            rebuild_persistent_object(invalid)


def test_attributes_of_a_network_that_are_not_a_dict_are_refused() -> None:
    with pytest.raises(CheckpointError, match="sets the attributes of a Conv2d to a list; they must be a dict"):
        ModuleRecord("Conv2d").set_state([("weight", 1)])


def test_each_supported_opcode_is_one_of_python() -> None:
    known = {opcode.name for opcode in pickletools.opcodes}
    assert {*interpreter.VALUES, *interpreter.CONSTANTS, *interpreter.EMPTY_CONTAINERS, *interpreter.ACTIONS} <= known


VALID_SNAPSHOTS = {protocol: pickle_bytes(snapshot(G=small_generator()), protocol) for protocol in (2, 4, 5)}
"""Valid snapshots by pickle protocol."""


def read_or_refuse(path: Path, data: bytes) -> None:
    """Reads the bytes; any exception other than `CheckpointError` fails the test."""
    path.write_bytes(data)
    try:
        read_networks(path)
    except CheckpointError as error:
        assert str(error).startswith(f"{path}: ")
        assert str(error).isprintable()


@pytest.mark.parametrize("protocol", VALID_SNAPSHOTS)
def test_truncated_snapshots_are_errors(tmp_path: Path, protocol: int) -> None:
    data = VALID_SNAPSHOTS[protocol]
    for length in range(0, len(data), 1 + len(data) // 200):
        refusal_message(tmp_path, data[:length])


@settings(max_examples=200)
@given(
    protocol=st.sampled_from(sorted(VALID_SNAPSHOTS)),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_damaged_snapshots_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, protocol: int, flips: list[tuple[float, int]]
) -> None:
    data = bytearray(VALID_SNAPSHOTS[protocol])
    for position, value in flips:
        data[int(position * len(data))] = value
    read_or_refuse(tmp_path_factory.getbasetemp() / "damaged.pkl", bytes(data))


@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    read_or_refuse(tmp_path_factory.getbasetemp() / "any.pkl", data)


def test_a_file_that_is_not_a_pickle_is_an_error(tmp_path: Path) -> None:
    assert refusal_message(tmp_path, b"") == (
        "not a snapshot of networks, or damaged (pickle exhausted before seeing STOP)"
    )
    assert refusal_message(tmp_path, b"\x80\x02\xff.") == (
        "not a snapshot of networks, or damaged (at position 2, opcode b'\\\\xff' unknown)"
    )
    write_snapshot(tmp_path / "s.pkl", snapshot(G=small_generator()))
    assert list(read_networks(tmp_path / "s.pkl")) == ["G"]
