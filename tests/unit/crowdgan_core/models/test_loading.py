"""Models are loaded by the backend that their card names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from crowdgan_blobs.generator import BlobGenerator
from crowdgan_blobs.model import BLOBS, made_up_model, write_model
from crowdgan_blobs.plugin import BlobsBackend

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.loading import load_generator

BLOBS_ALONE = {"blobs": BlobsBackend()}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    write_model(path, made_up_model("class", (16, 24)))
    return path


def test_a_model_is_loaded_by_the_backend_of_its_card(model: Path) -> None:
    generator = load_generator(model, BLOBS_ALONE)
    assert isinstance(generator, BlobGenerator)
    assert generator.card == made_up_model("class", (16, 24)).card


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_generator(tmp_path / "none.safetensors", BLOBS_ALONE)
    assert str(caught.value) == f"{tmp_path / 'none.safetensors'}: there is no such file"
    with pytest.raises(CheckpointError, match="there is no such file"):
        load_generator(tmp_path, BLOBS_ALONE)


def test_a_backend_that_is_not_installed_is_named_with_how_to_get_it(model: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_generator(model, {})
    needed = "it needs the backend blobs, which is not installed: pip install crowdgan-blobs"
    assert str(caught.value) == f"{model}: {needed}"


def test_no_command_is_made_of_a_name_that_no_backend_can_have(model: Path) -> None:
    made = made_up_model("class", (16, 24))
    write_model(model, replace(made, card=replace(made.card, backend="a; b")))
    with pytest.raises(CheckpointError) as caught:
        load_generator(model, BLOBS_ALONE)
    assert str(caught.value) == f"{model}: it needs the backend 'a; b', which is not installed; installed are blobs"


def test_a_file_without_a_card_is_no_model_unless_a_backend_knows_it(tmp_path: Path, model: Path) -> None:
    other = tmp_path / "other.pkl"
    other.write_bytes(b"\x80\x04.")
    with pytest.raises(CheckpointError, match="no model file, or a damaged one"):
        load_generator(other, BLOBS_ALONE)

    class Knows(BlobsBackend):
        def can_load(self, path: Path) -> bool:
            return path == other

        def load_generator(self, path: Path, device: str) -> BlobGenerator:
            return BlobGenerator(made_up_model(None))

    seen: list[ModelCard] = []
    generator = load_generator(other, {**BLOBS_ALONE, "other": Knows()}, check=seen.append)
    assert seen == [generator.card] == [made_up_model(None).card]


def test_a_check_refuses_a_model_before_its_weights_are_read(model: Path) -> None:
    class Never(BlobsBackend):
        def load_generator(self, path: Path, device: str) -> BlobGenerator:
            raise AssertionError("the check comes first")

    def refuse(card: ModelCard) -> None:
        raise ConfigError(f"no {card.backend}, please")

    with pytest.raises(ConfigError, match="no blobs, please"):
        load_generator(model, {"blobs": Never()}, check=refuse)


def test_a_wrong_device_and_damaged_weights_are_refused_by_the_backend(model: Path) -> None:
    with pytest.raises(ConfigError, match="device cuda"):
        load_generator(model, BLOBS_ALONE, "cuda")
    shape = f'"shape": [{BLOBS}, 2]'.encode()
    assert shape in model.read_bytes()
    model.write_bytes(model.read_bytes().replace(shape, shape.replace(b"2]", b"7]")))
    with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged, a tensor is missing or of the wrong size"):
        load_generator(model, BLOBS_ALONE)
