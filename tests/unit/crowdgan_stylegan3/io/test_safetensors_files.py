"""Safetensors files of tensors and metadata."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import safetensors.torch
import torch

from crowdgan_core.errors import DatasetError
from crowdgan_stylegan3.io.safetensors_files import save_safetensors

TENSORS = {"transposed": torch.arange(6.0).reshape(2, 3).T, "count": torch.tensor(3)}


def test_tensors_and_metadata_are_written(tmp_path: Path) -> None:
    dest = tmp_path / "folder" / "t.safetensors"
    save_safetensors(TENSORS, {"key": "value"}, dest)
    assert all(torch.equal(tensor, TENSORS[name]) for name, tensor in safetensors.torch.load_file(dest).items())
    with safetensors.safe_open(dest, framework="pt") as file:
        assert file.metadata() == {"key": "value"}


def test_an_existing_file_is_only_overwritten_on_request(tmp_path: Path) -> None:
    dest = tmp_path / "t.safetensors"
    dest.write_text("existing")
    with pytest.raises(DatasetError, match="already exists"):
        save_safetensors(TENSORS, {}, dest)
    assert dest.read_text() == "existing"
    save_safetensors(TENSORS, {}, dest, overwrite=True)
    assert set(safetensors.torch.load_file(dest)) == set(TENSORS)
    assert [path.name for path in tmp_path.iterdir()] == [dest.name]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    save_safetensors(TENSORS, {}, tmp_path / "t.safetensors")
    assert (tmp_path / "t.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_write_error_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="cannot be written"):
        save_safetensors(TENSORS, {}, tmp_path / "file" / "t.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
