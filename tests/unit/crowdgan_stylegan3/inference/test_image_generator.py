"""Models in files, and images by seed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from crowdgan_core.errors import CheckpointError, ConfigError, DatasetError
from crowdgan_core.models.card import CARD_KEY, ModelCard, read_card
from crowdgan_core.testing import check_image_generator
from crowdgan_stylegan3.backend import StyleGan3Backend
from crowdgan_stylegan3.config import VARIANTS, Variant, generator_preset
from crowdgan_stylegan3.device import resolve_device
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator, to_uint8
from crowdgan_stylegan3.inference.random_init import random_card, random_generator
from crowdgan_stylegan3.io.safetensors_files import load_network, save_network
from crowdgan_stylegan3.networks.generator import Generator

CLASSES = ("sparse", "medium", "dense")


def small(variant: Variant = "stylegan3-t", classes: tuple[str, ...] = CLASSES) -> tuple[Generator, ModelCard]:
    settings = generator_preset(variant, resolution=16, label_dim=len(classes), channel_base=256, channel_max=8)
    settings = replace(settings, z_dim=6, w_dim=10)
    return random_generator(settings, seed=3), random_card(settings, classes, 3)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_network(*small(), path)
    return path


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_model_is_read_back_equal(tmp_path: Path, variant: Variant) -> None:
    generator, card = small(variant)
    save_network(generator, card, tmp_path / "model.safetensors")
    loaded, loaded_card = load_network(tmp_path / "model.safetensors")
    assert loaded_card == card
    assert not loaded.training
    for name, tensor in generator.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_an_existing_model_is_kept_unless_told(model: Path) -> None:
    before = model.read_bytes()
    with pytest.raises(DatasetError, match="it exists already"):
        save_network(*small("stylegan2"), model)
    assert model.read_bytes() == before
    save_network(*small("stylegan2"), model, overwrite=True)
    assert read_card(model).settings["family"] == "stylegan2"


@pytest.mark.parametrize("length", [0, 5, 100, -100, -1])
def test_a_cut_off_model_is_refused_by_name(model: Path, length: int) -> None:
    model.write_bytes(model.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: "):
        load_network(model)


def change(path: Path, card: dict[str, Any] | None = None, **arrays: torch.Tensor | None) -> None:
    """Writes the model again with another card or other arrays; None leaves an array out."""
    state = safetensors.torch.load_file(path) | {name: item for name, item in arrays.items() if item is not None}
    for name in (name for name, item in arrays.items() if item is None):
        del state[name]
    metadata = {CARD_KEY: json.dumps(read_card(path).to_json() | (card or {}))}
    path.write_bytes(safetensors.torch.save(state, metadata))


@pytest.mark.parametrize(
    ("card", "arrays", "problem"),
    [
        ({"backend": "other"}, {}, "a model of the backend other; it must be one of stylegan3"),
        ({"settings": {"family": "stylegan2"}}, {}, "the setting resolution is missing"),
        ({"resolution": [32, 32]}, {}, "the card and the settings differ in resolution or label_dim"),
        (None, {"mapping.w_avg": None}, "weights that are missing: mapping.w_avg"),
        (None, {"more": torch.ones(2)}, "weights that are unknown: more"),
        (None, {"mapping.w_avg": torch.ones(9)}, "mapping.w_avg is torch.float32 [9]; it must be torch.float32 [10]"),
        (None, {"mapping.w_avg": torch.ones(10).half()}, "mapping.w_avg is torch.float16 [10]"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_by_what_is_wrong(
    model: Path, card: dict[str, Any] | None, arrays: dict[str, Any], problem: str
) -> None:
    change(model, card, **arrays)
    with pytest.raises(CheckpointError) as caught:
        load_network(model)
    assert str(caught.value).startswith(f"{model}: {problem}")


def test_the_backend_knows_its_models(model: Path, tmp_path: Path) -> None:
    backend = StyleGan3Backend()
    assert backend.can_load(model)
    change(model, {"backend": "other"})
    assert not backend.can_load(model)
    assert not backend.can_load(tmp_path / "none")


def one_hot(*classes: int) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[list(classes)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_seed_gives_the_same_image_in_every_batch(variant: Variant) -> None:
    generator = StyleGanImageGenerator(*small(variant), "cpu")
    batch = generator.generate([7, 8, 9, 7], one_hot(0, 1, 2, 0))
    assert batch.shape == (4, 16, 16, 3)
    assert batch.dtype == np.uint8
    for index, seed in enumerate((7, 8, 9, 7)):
        assert np.array_equal(batch[index], generator.generate([seed], one_hot(index % 3))[0])
    assert not np.array_equal(batch[0], batch[1])
    assert not np.array_equal(batch[0], generator.generate([7], one_hot(1))[0]), "the label matters"


def test_latents_of_seeds_are_those_of_the_published_tools() -> None:
    generator = StyleGanImageGenerator(*small(), "cpu")
    expected = np.random.RandomState(85).randn(1, 6).astype(np.float32)
    assert np.array_equal(generator._z([85]).numpy(), expected)


def test_full_truncation_gives_one_image() -> None:
    generator = StyleGanImageGenerator(*small(), "cpu")
    images = generator.generate([1, 2], one_hot(0, 2), truncation_psi=0.0)
    assert np.array_equal(images[0], images[1])


def test_images_move_and_turn_and_stay_where_they_were() -> None:
    generator = StyleGanImageGenerator(*small("stylegan3-r"), "cpu")
    still = generator.generate([1], one_hot(0))
    moved = generator.generate([1], one_hot(0), translate=(0.25, 0.0))
    turned = generator.generate([1], one_hot(0), rotate_deg=90)
    assert np.array_equal(generator.generate([1], one_hot(0)), still)
    inside = slice(5, 12)
    shift = np.abs(moved[0, 4:12, 8:12].astype(int) - still[0, 4:12, 4:8]).mean()
    assert shift < np.abs(moved[0, 4:12, 8:12].astype(int) - still[0, 4:12, 8:12]).mean()
    anticlockwise = np.abs(turned[0, inside, inside].astype(int) - np.rot90(still[0])[inside, inside]).mean()
    clockwise = np.abs(turned[0, inside, inside].astype(int) - np.rot90(still[0], -1)[inside, inside]).mean()
    assert anticlockwise < clockwise


@pytest.mark.parametrize(
    ("variant", "classes", "arguments", "problem"),
    [
        ("stylegan3-t", CLASSES, ([1], None), "labels are missing; they must be [1, 3]"),
        ("stylegan3-t", CLASSES, ([1], np.ones((1, 2), np.float32)), "labels are of shape [1, 2]"),
        ("stylegan3-t", CLASSES, ([1], np.full((1, 3), np.nan, np.float32)), "labels are not finite"),
        ("stylegan3-t", (), ([1], np.ones((1, 1), np.float32)), "the model has no labels, so it takes none"),
        ("stylegan3-t", (), ([], None), "there are no seeds; give at least one"),
        ("stylegan3-t", (), ([-1], None), "seed is -1; it must lie between 0 and 4294967295"),
        ("stylegan3-t", (), ([2**32], None), "seed is 4294967296"),
    ],
)
def test_what_makes_no_image_is_refused(
    variant: Variant, classes: tuple[str, ...], arguments: tuple[Any, Any], problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        StyleGanImageGenerator(*small(variant, classes), "cpu").generate(*arguments)
    assert problem in str(caught.value)


def test_stylegan2_cannot_be_moved() -> None:
    generator = StyleGanImageGenerator(*small("stylegan2", ()), "cpu")
    assert not generator.supports_transform
    with pytest.raises(ConfigError, match="cannot be moved or turned"):
        generator.generate([1], None, rotate_deg=3.0)


def test_devices_are_checked() -> None:
    with pytest.raises(ConfigError, match="device is tpu; it must be auto, cpu or cuda"):
        resolve_device("tpu")
    if not torch.cuda.is_available():
        assert resolve_device("auto").type == "cpu"
        with pytest.raises(ConfigError, match="device is cuda, but PyTorch finds no GPU; use auto or cpu"):
            resolve_device("cuda")


def test_pixels_are_rounded_as_by_the_published_tools_and_grey_becomes_rgb() -> None:
    values = torch.tensor([-2.0, -1.0, 0.0, 1.0]).reshape(1, 1, 1, 4)
    assert to_uint8(values)[0, 0].tolist() == [[0, 0, 0], [0, 0, 0], [128, 128, 128], [255, 255, 255]]


@pytest.mark.parametrize("variant", VARIANTS)
def test_images_of_random_weights_are_neither_blank_nor_saturated(variant: Variant) -> None:
    pixels = StyleGanImageGenerator(*small(variant), "cpu").generate(range(8), one_hot(*[0, 1, 2] * 2, 0, 1))
    assert pixels.std() > 10
    assert np.mean((pixels == 0) | (pixels == 255)) < 0.2


def test_random_weights_follow_from_the_seed_and_leave_torch_alone() -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first, second = small()[0].state_dict(), small()[0].state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("classes", [(), CLASSES], ids=["no labels", "labels"])
def test_generators_keep_the_contract(variant: Variant, classes: tuple[str, ...]) -> None:
    check_image_generator(StyleGanImageGenerator(*small(variant, classes), "cpu"))


def test_a_card_of_another_generator_is_not_written(tmp_path: Path) -> None:
    generator, card = small()
    with pytest.raises(CheckpointError, match="the card and the settings differ in resolution or label_dim"):
        save_network(generator, replace(card, resolution=(32, 32)), tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match="the card and the generator differ in settings"):
        save_network(generator, replace(card, settings={**card.settings, "w_dim": 12}), tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def test_images_of_four_channels_cannot_be_shown() -> None:
    settings = replace(generator_preset("stylegan2", resolution=16, channel_base=64, channel_max=4), image_channels=4)
    with pytest.raises(ConfigError, match="the model's images have 4 channels; 1 or 3 can be shown"):
        StyleGanImageGenerator(Generator(settings), random_card(settings, (), 0), "cpu")
