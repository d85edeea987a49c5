"""Models are loaded by the backend that their card names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from crowdgan_blobs.generator import BlobGenerator
from crowdgan_blobs.model import MAX_BLOBS, example_model, write_model
from crowdgan_blobs.plugin import BlobsBackend

from crowdgan_core.errors import CheckpointError, ConfigError, PluginError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.loading import load_generator

BLOBS_BACKEND = {"blobs": BlobsBackend()}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    write_model(path, example_model("class", (16, 24)))
    return path


def test_a_model_is_loaded_by_the_backend_of_its_card(model: Path) -> None:
    generator = load_generator(model, BLOBS_BACKEND)
    assert isinstance(generator, BlobGenerator)
    assert generator.card == example_model("class", (16, 24)).card


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_generator(tmp_path / "none.safetensors", BLOBS_BACKEND)
    assert str(caught.value) == f"{tmp_path / 'none.safetensors'}: no such file"
    with pytest.raises(CheckpointError, match="a folder; name a model file"):
        load_generator(tmp_path, BLOBS_BACKEND)


def test_a_missing_backend_is_an_error_with_the_install_command(model: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_generator(model, {})
    problem = "needs the backend blobs, which is not installed: pip install crowdgan-blobs"
    assert str(caught.value) == f"{model}: {problem}"


def test_no_install_command_is_suggested_for_an_invalid_backend_name(model: Path) -> None:
    blob_model = example_model("class", (16, 24))
    write_model(model, replace(blob_model, card=replace(blob_model.card, backend="a; b")))
    with pytest.raises(CheckpointError) as caught:
        load_generator(model, BLOBS_BACKEND)
    assert str(caught.value) == f"{model}: needs the backend 'a; b', which is not installed; installed backends: blobs"


def test_a_file_without_a_card_is_loaded_by_a_backend_that_accepts_it(tmp_path: Path, model: Path) -> None:
    other = tmp_path / "other.pkl"
    other.write_bytes(b"\x80\x04.")
    with pytest.raises(CheckpointError, match="not a model, or damaged"):
        load_generator(other, BLOBS_BACKEND)

    class AcceptingBackend(BlobsBackend):
        def can_load(self, path: Path) -> bool:
            return path == other

        def load_generator(self, path: Path, device: str) -> BlobGenerator:
            return BlobGenerator(example_model(None))

    checked: list[ModelCard] = []
    generator = load_generator(other, {**BLOBS_BACKEND, "other": AcceptingBackend()}, check=checked.append)
    assert checked == [generator.card] == [example_model(None).card]


def test_a_check_rejects_a_model_before_its_weights_are_read(model: Path) -> None:
    class UnusedBackend(BlobsBackend):
        def load_generator(self, path: Path, device: str) -> BlobGenerator:
            raise AssertionError("the check must run first")

    def reject(card: ModelCard) -> None:
        raise ConfigError(f"backend {card.backend} is not allowed")

    with pytest.raises(ConfigError, match="backend blobs is not allowed"):
        load_generator(model, {"blobs": UnusedBackend()}, check=reject)


def test_a_wrong_device_and_damaged_weights_are_errors_of_the_backend(model: Path) -> None:
    with pytest.raises(ConfigError, match="device cuda"):
        load_generator(model, BLOBS_BACKEND, "cuda")
    shape = f'"shape": [{MAX_BLOBS}, 2]'.encode()
    assert shape in model.read_bytes()
    model.write_bytes(model.read_bytes().replace(shape, shape.replace(b"2]", b"7]")))
    with pytest.raises(
        CheckpointError, match=r"model\.safetensors: damaged, a tensor is missing or has the wrong size"
    ):
        load_generator(model, BLOBS_BACKEND)


def test_errors_in_the_code_of_a_backend_name_it(tmp_path: Path, model: Path) -> None:
    class FailingBackend(BlobsBackend):
        def can_load(self, path: Path) -> bool:
            raise KeyError("header")

        def load_generator(self, path: Path, device: str) -> BlobGenerator:
            raise RuntimeError("out of memory")

    backends = {"blobs": FailingBackend()}
    other = tmp_path / "other.pkl"
    other.write_bytes(b"\x80\x04.")
    with pytest.raises(PluginError) as caught:
        load_generator(other, backends)
    assert str(caught.value) == f"model backend blobs failed: can_load: {other}: KeyError: 'header'"
    with pytest.raises(PluginError) as caught:
        load_generator(model, backends)
    assert str(caught.value) == f"model backend blobs failed: load_generator: {model}: RuntimeError: out of memory"


def test_a_backend_must_return_a_generator_with_a_card(model: Path) -> None:
    class EmptyBackend(BlobsBackend):
        def load_generator(self, path: Path, device: str) -> Any:
            return SimpleNamespace(card="blobs")

    with pytest.raises(PluginError) as caught:
        load_generator(model, {"blobs": EmptyBackend()})
    problem = "the card of the generator must be a ModelCard"
    assert str(caught.value) == f"model backend blobs: load_generator: {model}: {problem}"
