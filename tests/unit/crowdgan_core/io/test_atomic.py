"""Atomic writes: files and folders are complete, or absent."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.atomic import atomic_path, atomic_writer, write_bytes


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def ended_process_id() -> int:
    """ID of a process that has ended."""
    result = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    return int(result.stdout)


def test_a_file_appears_when_the_context_ends(tmp_path: Path) -> None:
    dest = tmp_path / "new" / "a.bin"
    with atomic_path(dest, overwrite=False) as partial:
        partial.write_bytes(b"abc")
        assert not dest.exists()
    assert dest.read_bytes() == b"abc"
    assert names(dest.parent) == ["a.bin"]


def test_an_error_leaves_no_files(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "a.bin", overwrite=False) as partial:
        partial.write_bytes(b"abc")
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_an_existing_destination_is_an_error(tmp_path: Path) -> None:
    dest = tmp_path / "a.bin"
    dest.write_bytes(b"old")
    with pytest.raises(DatasetError) as caught:
        write_bytes(dest, b"new", overwrite=False)
    assert str(caught.value) == f"{dest}: already exists; choose another destination or add --overwrite"
    assert dest.read_bytes() == b"old"


def test_a_destination_created_during_the_write_is_kept(tmp_path: Path) -> None:
    dest = tmp_path / "a.bin"
    with pytest.raises(DatasetError, match="already exists"), atomic_path(dest, overwrite=False) as partial:
        partial.write_bytes(b"ours")
        dest.write_bytes(b"theirs")
    assert dest.read_bytes() == b"theirs"


def test_overwriting_replaces_files_and_folders(tmp_path: Path) -> None:
    dest = tmp_path / "out"
    dest.mkdir()
    (dest / "old.txt").write_text("old")
    with atomic_path(dest, overwrite=True) as partial:
        partial.mkdir()
        (partial / "new.txt").write_text("new")
    assert names(dest) == ["new.txt"]
    write_bytes(tmp_path / "a", b"1", overwrite=True)
    write_bytes(tmp_path / "a", b"2", overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"2"
    assert names(tmp_path) == ["a", "out"]


def test_leftovers_of_a_killed_process_are_removed_by_the_next_write(tmp_path: Path) -> None:
    pid = ended_process_id()
    leftover = tmp_path / f".a.bin.{socket.gethostname()}-{pid}.partial"
    leftover.write_bytes(b"half")
    other = tmp_path / f".b.bin.{socket.gethostname()}-{pid}.partial"
    other.write_bytes(b"another destination's")
    write_bytes(tmp_path / "a.bin", b"complete", overwrite=False)
    assert names(tmp_path) == sorted([other.name, "a.bin"])


def test_a_folder_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "image.png").write_bytes(b"1")
    with pytest.raises(DatasetError, match="folder: is a folder; choose a file name"):
        write_bytes(tmp_path / "folder", b"2", overwrite=True)
    assert (tmp_path / "folder" / "image.png").read_bytes() == b"1"
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_a_destination_with_the_longest_possible_name_is_overwritten_and_cleaned_up(tmp_path: Path) -> None:
    dest = tmp_path / ("ä" * 123 + ".zip")
    with pytest.raises(KeyboardInterrupt), atomic_path(dest, overwrite=False) as partial:
        leftover = partial.with_name(partial.name.replace(f"-{os.getpid()}.", f"-{ended_process_id()}."))
        raise KeyboardInterrupt
    leftover.write_bytes(b"half")
    assert len(os.fsencode(dest.name)) == 250
    write_bytes(dest, b"1", overwrite=False)
    write_bytes(dest, b"2", overwrite=True)
    assert (names(tmp_path), dest.read_bytes()) == ([dest.name], b"2")


def test_a_name_that_is_too_long_is_an_error_before_the_context_is_entered(tmp_path: Path) -> None:
    dest = tmp_path / "new" / ("a" * 256)
    with pytest.raises(DatasetError, match=r"cannot be written \(.+\)"), atomic_path(dest, overwrite=False):
        pytest.fail("the context was entered")
    assert names(tmp_path) == []


def test_an_error_removes_only_new_parent_folders(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "old" / "a" / "b" / "c.bin", overwrite=False):
        raise KeyboardInterrupt
    assert names(tmp_path / "old") == []


def test_a_new_parent_folder_with_files_of_another_process_is_kept(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "a" / "b" / "c.bin", overwrite=False):
        (tmp_path / "a" / "theirs").write_text("")
        raise KeyboardInterrupt
    assert names(tmp_path / "a") == ["theirs"]


def test_a_file_is_open_for_writing_when_it_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows requires it. The empty write fails if the file is open only for reading."""
    monkeypatch.setattr(os, "fsync", lambda number: os.write(number, b""))
    write_bytes(tmp_path / "a.bin", b"abc", overwrite=False)
    assert (tmp_path / "a.bin").read_bytes() == b"abc"


def test_a_file_as_parent_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=r"a.bin: cannot be written \(.+\); no partial output was left"):
        write_bytes(tmp_path / "file" / "a.bin", b"", overwrite=False)


def test_each_file_of_a_folder_is_complete_after_its_write(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    with atomic_writer(folder) as write:
        write("a.bin", b"abc", overwrite=False)
        assert names(folder) == ["a.bin"]
        with pytest.raises(DatasetError, match=r"a\.bin: already exists"):
            write("a.bin", b"other", overwrite=False)
        assert (folder / "a.bin").read_bytes() == b"abc"
        write("a.bin", b"other", overwrite=True)
    assert (folder / "a.bin").read_bytes() == b"other"
    assert names(folder) == ["a.bin"]


def test_complete_files_remain_after_an_error_and_an_empty_folder_is_removed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_writer(tmp_path / "new" / "out"):
        raise KeyboardInterrupt
    assert names(tmp_path) == []
    with pytest.raises(KeyboardInterrupt), atomic_writer(tmp_path / "out") as write:
        write("a.bin", b"abc", overwrite=False)
        raise KeyboardInterrupt
    assert names(tmp_path / "out") == ["a.bin"]


def test_a_folder_with_the_name_of_a_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.bin").mkdir()
    with atomic_writer(tmp_path) as write, pytest.raises(DatasetError, match=r"a\.bin: cannot be written \("):
        write("a.bin", b"abc", overwrite=True)
    assert names(tmp_path) == ["a.bin"]
    with pytest.raises(DatasetError, match="b: cannot be written"):
        (tmp_path / "b").write_bytes(b"")
        with atomic_writer(tmp_path / "b"):
            raise AssertionError("the context must not start")


def test_leftovers_of_killed_processes_in_a_folder_are_removed(tmp_path: Path) -> None:
    leftover = tmp_path / f".files.{socket.gethostname()}-{ended_process_id()}.partial"
    leftover.write_bytes(b"half")
    with atomic_writer(tmp_path) as write:
        assert names(tmp_path) == []
        write("a.bin", b"abc", overwrite=False)
    assert names(tmp_path) == ["a.bin"]
