"""Model cards: reading, and errors for invalid cards and damaged files."""

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


def test_reading_a_written_card_gives_an_equal_card(tmp_path: Path) -> None:
    assert read_card(write_card(tmp_path / "model.safetensors")) == CARD


def test_a_card_has_the_range_of_continuous_labels(tmp_path: Path) -> None:
    changes = {"label_dim": 1, "label_kind": "value", "classes": [], "label_range": [0.1, 4]}
    assert read_card(write_card(tmp_path / "model.safetensors", **changes)).label_range == (0.1, 4)
    assert "label_range" not in CARD.to_json()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"label_range": [1, 2]}, "model card: label_range is only for continuous labels of one number"),
        (
            {"label_dim": 1, "label_kind": "value", "classes": [], "label_range": [2, 1]},
            "model card: label_range is (2.0, 1.0); the first value must not exceed the second",
        ),
        ({"format": 2}, "model card: format is 2; this version reads format 1"),
        ({"backend": None}, "model card.backend: found null; it must be a string"),
        ({"resolution": [32]}, "model card.resolution: found [32]; it must be a list of 2"),
        ({"resolution": [0, 4]}, "model card: resolution is (0, 4); both sides must be at least 1 px"),
        ({"label_dim": 2}, "model card: 3 classes with label_dim 2"),
        ({"label_kind": "value"}, "model card: 3 classes with label_kind value; only label_kind class has classes"),
        ({"label_dim": 0, "classes": []}, "model card: label_dim is 0 with label_kind class"),
        ({"label_kind": "colour"}, 'model card.label_kind: found "colour"; it must be class or value'),
        ({"classes": ["a", "b", "a"]}, "model card: classes are a, b, a; names must be unique"),
        ({"classes": [1, 2, 3]}, "model card.classes[0]: found 1; it must be a string"),
        ({"settings": []}, "model card.settings: found []; it must be a JSON object"),
        ({"label_dim": True}, "model card.label_dim: found true; it must be a whole number"),
        ({"licence": "CC0"}, "model card: unknown key licence"),
    ],
)
def test_an_invalid_card_is_an_error(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    path = write_card(tmp_path / "model.safetensors", **changes)
    with pytest.raises(CheckpointError) as caught:
        read_card(path)
    assert str(caught.value) == f"{path}: {problem}"


@pytest.mark.parametrize("data", [b"", b"\x00" * 7, b"\xff" * 64, b"\x02" + b"\x00" * 7 + b"[]", b"\x80\x04."])
def test_a_file_of_an_unsupported_type_is_an_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="not a model, or damaged; a model is a .safetensors file"):
        read_card(path)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_the_wrong_size_is_an_error(tmp_path: Path, change: int) -> None:
    metadata = {CARD_KEY: json.dumps(CARD.to_json())}
    weights = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    path = write_header(tmp_path / "model.safetensors", {"__metadata__": metadata, "w": weights})
    complete = path.read_bytes() + bytes(8)
    path.write_bytes(complete)
    assert read_card(path) == CARD
    path.write_bytes((complete + b"x")[: len(complete) + change])
    with pytest.raises(CheckpointError) as caught:
        read_card(path)
    sizes = f"the file has {len(complete) + change} bytes, its header specifies {len(complete)}"
    assert str(caught.value) == f"{path}: damaged; {sizes}"


def test_a_safetensors_file_without_a_card_is_an_error(tmp_path: Path) -> None:
    path = write_header(tmp_path / "other.safetensors", {"__metadata__": {"format": "pt"}})
    with pytest.raises(
        CheckpointError, match="not a crowdgan model; the safetensors file has no model card in its header"
    ):
        read_card(path)
    with pytest.raises(
        CheckpointError, match="only weights; without the settings of their network they cannot be used"
    ):
        read_card(path)
    write_header(path, {"__metadata__": {f"{CARD_KEY}-training": "{}"}})
    with pytest.raises(CheckpointError, match="export a model from the run: crowdgan stylegan3 export"):
        read_card(path)
    with pytest.raises(CheckpointError, match="the model card is not valid JSON"):
        read_card(write_header(path, {"__metadata__": {CARD_KEY: "{"}}))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.safetensors: no such file"):
        read_card(tmp_path / "none.safetensors")
