"""Model cards: written, read back, and refused when damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crowdgan_core.errors import CheckpointError
from crowdgan_core.models.card import CARD_KEY, ModelCard, read_card

CARD = ModelCard(
    backend="stylegan3",
    resolution=(32, 48),
    settings={"z_dim": 24},
    label_dim=3,
    label_kind="class",
    classes=("sparse", "medium", "dense"),
    unit="persons/m²",
    labelling={"estimator": "grid"},
    provenance={"kimg": 25.0},
)


def write_header(path: Path, header: Any) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    return path


def write_card(path: Path, **changes: Any) -> Path:
    return write_header(path, {"__metadata__": {CARD_KEY: json.dumps({**CARD.to_json(), **changes})}})


def test_a_card_is_read_back_equal(tmp_path: Path) -> None:
    assert read_card(write_card(tmp_path / "model.safetensors")) == CARD


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"format": 2}, "model card: it has format 2; this version of crowdgan reads 1"),
        ({"backend": None}, "model card: it names no backend"),
        ({"resolution": [32]}, "model card: it has resolution [32]; it must be [height, width]"),
        ({"resolution": [0, 4]}, "model card: resolution is (0, 4); both sides must be at least 1 px"),
        ({"label_dim": 2}, "model card: 3 classes with label_dim 2"),
        ({"label_kind": "value"}, "model card: it has classes with label_kind value"),
        ({"label_dim": 0, "classes": []}, "model card: label_dim is 0 with label_kind class"),
        ({"label_kind": "colour"}, "model card: it has label_kind 'colour'; it must be class or value"),
        ({"classes": ["a", "b", "a"]}, "model card: classes are a, b, a; no two may have the same name"),
        ({"classes": [1, 2, 3]}, "model card: it has bad class names"),
        ({"settings": []}, "model card: it has settings that are no mapping"),
    ],
)
def test_a_wrong_card_is_refused_by_what_is_wrong(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    path = write_card(tmp_path / "model.safetensors", **changes)
    with pytest.raises(CheckpointError) as caught:
        read_card(path)
    assert str(caught.value) == f"{path}: {problem}"


@pytest.mark.parametrize("data", [b"", b"\x00" * 7, b"\xff" * 64, b"\x02" + b"\x00" * 7 + b"[]", b"\x80\x04."])
def test_what_is_no_model_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="no model file, or a damaged one"):
        read_card(path)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_that_is_cut_off_or_too_long_is_refused_by_its_size(tmp_path: Path, change: int) -> None:
    metadata = {CARD_KEY: json.dumps(CARD.to_json())}
    weights = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    path = write_header(tmp_path / "model.safetensors", {"__metadata__": metadata, "w": weights})
    whole = path.read_bytes() + bytes(8)
    path.write_bytes(whole)
    assert read_card(path) == CARD
    path.write_bytes((whole + b"x")[: len(whole) + change])
    with pytest.raises(CheckpointError) as caught:
        read_card(path)
    found = f"it has {len(whole) + change} bytes where its header announces {len(whole)}"
    assert str(caught.value) == f"{path}: damaged, {found}"


def test_a_safetensors_file_without_a_card_is_refused(tmp_path: Path) -> None:
    path = write_header(tmp_path / "other.safetensors", {"__metadata__": {"format": "pt"}})
    with pytest.raises(CheckpointError, match="it has no card in its header"):
        read_card(path)
    with pytest.raises(CheckpointError, match="its model card is damaged"):
        read_card(write_header(path, {"__metadata__": {CARD_KEY: "{"}}))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.safetensors: cannot be read \(No such file"):
        read_card(tmp_path / "none.safetensors")
