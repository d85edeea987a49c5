"""ZIP archives are read without unpacking, and malicious archives are refused."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.archive import check_complete, entry_names, is_zip, open_entry, read_entry
from crowdgan_core.io.storage import open_store
from tests.support.sources import UTF8_FLAG, raw_zip_bytes


def write_zip(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_entries_are_listed_and_read(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"Images/1,a.jpg": b"one", "__MACOSX/x": b"", "b/": b"", "c.odgt": b"two"})
    assert entry_names(path) == ["Images/1,a.jpg", "c.odgt"]
    assert read_entry(path, "Images/1,a.jpg") == b"one"
    assert is_zip(path)
    assert not is_zip(tmp_path)


def test_a_changed_archive_is_read_again(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a": b"1"})
    assert entry_names(path) == ["a"]
    write_zip(path, {"b": b"22"})
    assert entry_names(path) == ["b"]


@pytest.mark.parametrize("name", ["../evil.jpg", "a/../../evil.jpg", "/etc/evil.jpg", "C:/evil.jpg", "..\\evil.jpg"])
def test_entries_that_point_outside_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "a.zip", {"good.jpg": b"", name: b""})
    with pytest.raises(DatasetError, match="points outside the archive: refused"):
        entry_names(path)


def test_symbolic_links_are_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link.jpg")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DatasetError, match=r"entry 'link.jpg' is a symbolic link: refused"):
        entry_names(tmp_path / "a.zip")


def test_encrypted_entries_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.jpg": b"secret"})
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    struct.pack_into("<H", data, directory + 8, 1)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"entry 'a.jpg' is encrypted; unpack the archive and use the folder"):
        entry_names(path)


def test_a_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"bomb.png": bytes(64 * 2**20)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(DatasetError, match="refused as a decompression bomb"):
        read_entry(path, "bomb.png")
    with pytest.raises(DatasetError, match="unpacks to 67108864 bytes; the maximum is 1000 bytes"):
        read_entry(path, "bomb.png", max_bytes=1000)


def test_missing_and_damaged_entries_are_errors_with_their_names(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.jpg": b"0123456789" * 100})
    with pytest.raises(DatasetError, match=r"a.zip:b.jpg: no such entry"):
        read_entry(path, "b.jpg")
    path.write_bytes(path.read_bytes().replace(b"0123456789", b"012345678X", 1))
    with pytest.raises(DatasetError, match=r"a.zip:a.jpg: damaged archive entry"), open_entry(path, "a.jpg") as file:
        file.read()
    path.write_bytes(b"PK not a ZIP")
    with pytest.raises(DatasetError, match=r"a.zip: damaged ZIP archive"):
        entry_names(path)


def test_system_files_are_ignored_in_every_folder_of_an_archive(tmp_path: Path) -> None:
    names = ["Images/._p0.jpg", "._annotation.odgt", "x/.DS_Store", "x/__MACOSX/p.jpg", ".hidden/p.jpg", "Thumbs.db"]
    path = write_zip(tmp_path / "a.zip", dict.fromkeys([*names, "Images\\", "Images/p0.jpg"], b""))
    assert entry_names(path) == ["Images/p0.jpg"]


NFC, NFD = "Images/café 한글.jpg", "Images/cafe\u0301 \u1112\u1161\u11ab\u1100\u1173\u11af.jpg"


@pytest.mark.parametrize("name", [NFC, NFD])
@pytest.mark.parametrize("directory_flags", [0, UTF8_FLAG])
@pytest.mark.parametrize("local_flags", [0, UTF8_FLAG])
def test_utf_8_names_are_read_whatever_flags_the_archiver_set(
    tmp_path: Path, name: str, directory_flags: int, local_flags: int
) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(raw_zip_bytes({name.encode(): b"data"}, directory_flags, local_flags))
    assert entry_names(path) == [NFC]
    assert {read_entry(path, item) for item in (NFC, NFD, NFC.replace("/", "\\"))} == {b"data"}


def test_names_in_code_page_437_and_in_the_extra_field_are_read(tmp_path: Path) -> None:
    raw, path = "Images/café.jpg".encode("cp437"), tmp_path / "a.zip"
    path.write_bytes(raw_zip_bytes({raw: b"data"}))
    assert entry_names(path) == ["Images/café.jpg"]
    field = struct.pack("<BI", 1, zlib.crc32(raw)) + NFC.encode()
    extra = struct.pack("<HH", 0x9999, 1) + b"x" + struct.pack("<HH", 0x7075, len(field)) + field
    path = tmp_path / "b.zip"
    path.write_bytes(raw_zip_bytes({raw: b"data"}, extra=extra))
    assert entry_names(path) == [NFC]
    assert read_entry(path, NFC) == b"data"
    path = tmp_path / "c.zip"
    path.write_bytes(raw_zip_bytes({b"other.jpg": b"data"}, extra=extra))
    assert entry_names(path) == ["other.jpg"], "the extra field belongs to an earlier name"


@pytest.mark.parametrize(
    ("name", "end", "message"),
    [
        ("a.zip", -30, r"a\.zip: incomplete ZIP archive \(\d+ bytes\); download or copy it again"),
        ("a.bin", -30, r"a\.bin: incomplete ZIP archive"),
        ("a.zip", 3, r"a\.zip: incomplete ZIP archive \(3 bytes\)"),
        ("a.zip", 0, r"a\.zip: incomplete ZIP archive \(0 bytes\)"),
        ("a.zip.crdownload", 0, r"a\.zip\.crdownload: incomplete ZIP archive"),
    ],
)
def test_an_incomplete_archive_is_an_error(tmp_path: Path, name: str, end: int, message: str) -> None:
    path = write_zip(tmp_path / name, {"p.jpg": b"pixels" * 100})
    check_complete(path)
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(DatasetError, match=message):
        check_complete(path)
    with pytest.raises(DatasetError, match=message):
        open_store(path)


def test_a_file_that_is_not_an_archive_is_an_error_only_if_its_name_ends_in_zip(tmp_path: Path) -> None:
    for name in ("a.zip", "a.html"):
        (tmp_path / name).write_text("<html>not found</html>")
    check_complete(tmp_path / "a.html")
    check_complete(tmp_path)
    with pytest.raises(DatasetError, match=r"a\.zip: not a ZIP archive, although its name ends in \.zip"):
        check_complete(tmp_path / "a.zip")
