"""Storages inside a pickle: each is a complete file of `torch.save`, as bytes.

The legacy format of that file, which torch still writes inside pickles, is five pickles and raw bytes: a magic number,
a version, facts about the machine, the object, the keys of its storages; then for each key its length and its numbers.
The newer format is a ZIP archive of the object's pickle and one entry per storage.

Source: torch.save and torch.load, behaviour of torch 1.7 to 2.13.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field

import numpy as np

from crowdgan_stylegan3.io.pickle_reader.interpreter import read_pickle, refuse_all_names
from crowdgan_stylegan3.io.pickle_reader.limits import Budget, Stream, describe_value, refusal
from crowdgan_stylegan3.io.pickle_reader.tensors import PickledStorage, StorageType

LEGACY_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
"""First pickle of the legacy format."""

LEGACY_VERSION = 1001
"""Second pickle of the legacy format, which has no other version."""

ZIP_MAGIC = b"PK\x03\x04"
"""Start of a ZIP archive."""

ZIP_ENTRY = b"PK\x01\x02"
"""Start of each entry in the central directory of a ZIP archive."""

MAX_ZIP_ENTRIES = 100
"""Maximum number of entries of an archive: each takes memory, and torch writes about 6 for a storage."""

ENCRYPTED_FLAG = 1
"""Bit of the flags of an encrypted ZIP entry."""

NUMEL_BYTES = 8
"""Size of the number of elements before a storage's numbers, signed, little endian."""

STORAGE_TYPES = {
    "DoubleStorage": StorageType(np.dtype("<f8")),
    "FloatStorage": StorageType(np.dtype("<f4")),
    "HalfStorage": StorageType(np.dtype("<f2")),
    "LongStorage": StorageType(np.dtype("<i8")),
    "IntStorage": StorageType(np.dtype("<i4")),
    "ShortStorage": StorageType(np.dtype("<i2")),
    "CharStorage": StorageType(np.dtype("i1")),
    "ByteStorage": StorageType(np.dtype("u1")),
    "BoolStorage": StorageType(np.dtype("?")),
    "UntypedStorage": StorageType(np.dtype("u1")),
}
"""Storage classes of torch and their number types; numpy has no bfloat16."""

STORAGE_MODULES = ("torch", "torch.cuda", "torch.storage")
"""Modules of those classes."""


def load_storage(data: object, budget: Budget) -> PickledStorage:
    """Replacement for `torch.storage._load_from_bytes`: the storage in a file of `torch.save`, without a copy.

    Raises:
        CheckpointError: the file holds anything other than one storage.
    """
    if not isinstance(data, bytes):
        raise refusal(f"a storage of {describe_value(data)}; it must be bytes")
    budget.spend_bytes(len(data))
    load = _load_zip if data.startswith(ZIP_MAGIC) else _load_legacy
    storage = load(data, budget)
    if not isinstance(storage, PickledStorage):
        raise refusal(f"the bytes of a storage hold {describe_value(storage)}")
    if storage.values is None:
        raise refusal("the bytes of a storage do not hold its numbers")
    return storage


@dataclass
class _Storages:
    """Storages that an object's pickle refers to, by key."""

    by_key: dict[str, PickledStorage] = field(default_factory=dict)

    def __call__(self, identity: object) -> PickledStorage:
        """The storage of a persistent id `("storage", type, key, location, numel)`, then None in the legacy format."""
        match identity:
            case ("storage", StorageType(dtype), str(key), str(), int(numel), *views) if views in ([], [None]):
                return self.by_key.setdefault(key, PickledStorage(dtype, numel))
        raise refusal("a persistent id in the bytes of a storage does not name a storage")


def _find_storage_type(module: str, name: str) -> object:
    if module in STORAGE_MODULES and name in STORAGE_TYPES:
        return STORAGE_TYPES[name]
    full_name = describe_value(f"{module}.{name}")
    raise refusal(f"a storage in the pickle asks for {full_name}, which a model does not need")


def _load_legacy(data: bytes, budget: Budget) -> object:
    stream = Stream.from_bytes(data)
    magic, version, machine = (read_pickle(stream, refuse_all_names, budget) for _ in range(3))
    if magic != LEGACY_MAGIC_NUMBER or version != LEGACY_VERSION:
        raise refusal("the bytes of a storage are not a file of torch.save")
    if isinstance(machine, dict) and machine.get("little_endian") is False:
        raise refusal("a storage from a big-endian machine; only little-endian files are supported")
    storages = _Storages()
    value = read_pickle(stream, _find_storage_type, budget, storages)
    keys = read_pickle(stream, refuse_all_names, budget)
    for key in keys if isinstance(keys, list) else []:
        if not isinstance(key, str) or key not in storages.by_key:
            raise refusal(f"numbers of the storage {describe_value(key)}, which the pickle does not refer to")
        storage = storages.by_key[key]
        numel = int.from_bytes(stream.read(NUMEL_BYTES), "little", signed=True)
        _fill(storage, data, stream.tell(), numel * storage.dtype.itemsize)
        stream.skip(numel * storage.dtype.itemsize)
    return value


def _load_zip(data: bytes, budget: Budget) -> object:
    if data.count(ZIP_ENTRY) > MAX_ZIP_ENTRIES:
        raise refusal(f"an archive of torch.save with more than {MAX_ZIP_ENTRIES} entries for one storage")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(names) != 1:
            raise refusal(f"an archive of torch.save with {len(names)} entries data.pkl; there must be one")
        root = names[0].removesuffix("data.pkl")
        if f"{root}byteorder" in archive.namelist() and _read_entry(archive, f"{root}byteorder", budget) != b"little":
            raise refusal("a storage from a big-endian machine; only little-endian files are supported")
        storages = _Storages()
        pickle_stream = Stream.from_bytes(_read_entry(archive, names[0], budget))
        value = read_pickle(pickle_stream, _find_storage_type, budget, storages)
        for key, storage in storages.by_key.items():
            numbers = _read_entry(archive, f"{root}data/{key}", budget)
            _fill(storage, numbers, 0, len(numbers))
    return value


def _read_entry(archive: zipfile.ZipFile, name: str, budget: Budget) -> bytes:
    """The bytes of an entry; torch never compresses them, so compression is refused as a decompression bomb."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & ENCRYPTED_FLAG:
        raise refusal(f"a compressed or encrypted entry {describe_value(name)} in a storage's archive")
    budget.spend_bytes(info.file_size)
    return archive.read(info)


def _fill(storage: PickledStorage, data: bytes, offset: int, num_bytes: int) -> None:
    """Sets the numbers of a storage.

    Raises:
        CheckpointError: their size differs from the declared one, or the data end too early.
    """
    expected = storage.numel * storage.dtype.itemsize
    if storage.numel < 0 or num_bytes != expected or offset + expected > len(data):
        actual = f"{describe_value(num_bytes)} bytes of the {len(data) - offset} left"
        raise refusal(f"a storage of {describe_value(storage.numel)} numbers, for which its file has {actual}")
    storage.values = np.frombuffer(data, storage.dtype, storage.numel, offset)
