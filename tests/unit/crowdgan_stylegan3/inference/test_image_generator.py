"""Model files, and images by seed."""

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
from crowdgan_stylegan3.config import VARIANTS, Variant, generator_config
from crowdgan_stylegan3.device import resolve_device
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator, noise_rng, to_uint8
from crowdgan_stylegan3.inference.random_init import random_card, random_generator
from crowdgan_stylegan3.io.safetensors_files import load_network, save_network
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.synthesis_stylegan2 import StyleGan2Synthesis

CLASSES = ("sparse", "medium", "dense")


def small_model(variant: Variant = "stylegan3-t", classes: tuple[str, ...] = CLASSES) -> tuple[Generator, ModelCard]:
    config = generator_config(variant, resolution=16, label_dim=len(classes), channel_base=256, channel_max=8)
    config = replace(config, z_dim=6, w_dim=10)
    return random_generator(config, seed=3), random_card(config, classes, 3)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_network(*small_model(), path)
    return path


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_loaded_model_equals_the_saved_one(tmp_path: Path, variant: Variant) -> None:
    generator, card = small_model(variant)
    save_network(generator, card, tmp_path / "model.safetensors")
    loaded, loaded_card = load_network(tmp_path / "model.safetensors")
    assert loaded_card == card
    assert not loaded.training
    for name, tensor in generator.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_half_precision_model_has_half_the_size_and_the_same_images(tmp_path: Path, variant: Variant) -> None:
    config = generator_config(variant, resolution=16, label_dim=len(CLASSES), channel_base=512, channel_max=32)
    generator, card = random_generator(config, seed=3), random_card(config, CLASSES, 3)
    full, half = tmp_path / "full.safetensors", tmp_path / "half.safetensors"
    save_network(generator, card, full)
    save_network(generator, card, half, half=True)
    assert half.stat().st_size < 0.53 * full.stat().st_size
    loaded, loaded_card = load_network(half)
    parameters = dict(generator.named_parameters())
    for name, tensor in generator.state_dict().items():
        stored = loaded.state_dict()[name]
        assert stored.dtype == tensor.dtype
        torch.testing.assert_close(stored, tensor, rtol=2**-11 if name in parameters else 0, atol=1e-7)
    labels = np.eye(len(CLASSES), dtype=np.float32)
    images, half_images = (
        StyleGanImageGenerator(network, loaded_card, "cpu").generate(range(3), labels).astype(int)
        for network in (generator, loaded)
    )
    assert np.abs(images - half_images).max() <= 1


def test_values_beyond_the_range_of_float16_are_stored_as_float32(tmp_path: Path) -> None:
    generator, card = small_model()
    name, parameter = next(iter(generator.named_parameters()))
    with torch.no_grad():
        parameter.view(-1)[0] = 1e6
    save_network(generator, card, tmp_path / "half.safetensors", half=True)
    assert torch.equal(load_network(tmp_path / "half.safetensors")[0].state_dict()[name], parameter)
    dtypes = {key: item.dtype for key, item in safetensors.torch.load_file(tmp_path / "half.safetensors").items()}
    assert dtypes[name] == torch.float32
    assert sum(dtype == torch.float16 for dtype in dtypes.values()) == len(list(generator.parameters())) - 1


def test_an_existing_model_is_only_overwritten_on_request(model: Path) -> None:
    before = model.read_bytes()
    with pytest.raises(DatasetError, match="already exists"):
        save_network(*small_model("stylegan2"), model)
    assert model.read_bytes() == before
    save_network(*small_model("stylegan2"), model, overwrite=True)
    assert read_card(model).settings["family"] == "stylegan2"


@pytest.mark.parametrize("length", [0, 5, 100, -100, -1])
def test_a_truncated_model_is_an_error_that_names_the_file(model: Path, length: int) -> None:
    model.write_bytes(model.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: "):
        load_network(model)


def modify_model(path: Path, card: dict[str, Any] | None = None, **arrays: torch.Tensor | None) -> None:
    """Overwrites the model with changed card values and arrays; None removes an array."""
    state = safetensors.torch.load_file(path) | {name: item for name, item in arrays.items() if item is not None}
    for name in (name for name, item in arrays.items() if item is None):
        del state[name]
    metadata = {CARD_KEY: json.dumps(read_card(path).to_json() | (card or {}))}
    path.write_bytes(safetensors.torch.save(state, metadata))


@pytest.mark.parametrize(
    ("card", "arrays", "problem"),
    [
        ({"backend": "other"}, {}, "a model of the backend other; it must be of stylegan3"),
        ({"settings": {"family": "stylegan2"}}, {}, "settings: the key resolution is missing"),
        ({"resolution": [32, 32]}, {}, "the model card and its settings have different resolutions or label_dim"),
        (None, {"mapping.w_avg": None}, "missing weights: mapping.w_avg"),
        (None, {"more": torch.ones(2)}, "unknown weights: more"),
        (None, {"mapping.w_avg": torch.ones(9)}, "mapping.w_avg is torch.float32 [9]; it must be torch.float32 [10]"),
        (None, {"mapping.w_avg": torch.ones(10).double()}, "mapping.w_avg is torch.float64 [10]"),
    ],
)
def test_an_invalid_model_is_an_error_with_the_reason(
    model: Path, card: dict[str, Any] | None, arrays: dict[str, Any], problem: str
) -> None:
    modify_model(model, card, **arrays)
    with pytest.raises(CheckpointError) as caught:
        load_network(model)
    assert str(caught.value).startswith(f"{model}: {problem}")


def test_the_backend_recognises_its_models(model: Path, tmp_path: Path) -> None:
    backend = StyleGan3Backend()
    assert backend.can_load(model)
    modify_model(model, {"backend": "other"})
    assert not backend.can_load(model)
    assert not backend.can_load(tmp_path / "none")


def one_hot(*classes: int) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[list(classes)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_seed_gives_the_same_image_in_every_batch(variant: Variant) -> None:
    generator = StyleGanImageGenerator(*small_model(variant), "cpu")
    batch = generator.generate([7, 8, 9, 7], one_hot(0, 1, 2, 0))
    assert batch.shape == (4, 16, 16, 3)
    assert batch.dtype == np.uint8
    for index, seed in enumerate((7, 8, 9, 7)):
        assert np.array_equal(batch[index], generator.generate([seed], one_hot(index % 3))[0])
    assert not np.array_equal(batch[0], batch[1])
    assert not np.array_equal(batch[0], generator.generate([7], one_hot(1))[0]), "the label must change the image"


def test_latents_of_seeds_equal_those_of_the_published_tools() -> None:
    generator = StyleGanImageGenerator(*small_model(), "cpu")
    expected = np.random.RandomState(85).randn(1, 6).astype(np.float32)
    assert np.array_equal(generator._seed_latents([85]).numpy(), expected)


def test_full_truncation_gives_one_image_per_label_or_one_of_all_labels() -> None:
    generator = StyleGanImageGenerator(*small_model(), "cpu")
    images = generator.generate([1, 2, 3], one_hot(0, 2, 0), truncation_psi=0.0)
    assert np.array_equal(images[0], images[2])
    assert not np.array_equal(images[0], images[1])
    images = generator.generate([1, 2], one_hot(0, 2), truncation_psi=0.0, truncation_mean="all")
    assert np.array_equal(images[0], images[1])


def test_truncation_moves_latents_towards_the_mean_of_their_label() -> None:
    generator = StyleGanImageGenerator(*small_model(), "cpu")
    label = one_hot(1)
    mean = generator.map_seeds(range(1000), label.repeat(1000, axis=0)).mean(axis=0)
    full, half = (generator.map_seeds([5], label, truncation_psi=psi)[0] for psi in (1.0, 0.5))
    np.testing.assert_allclose(half, (full + mean) / 2, atol=1e-5)


def test_an_unknown_truncation_mean_is_an_error() -> None:
    generator = StyleGanImageGenerator(*small_model(), "cpu")
    with pytest.raises(ConfigError, match="truncation mean is class; choose from label, all"):
        generator.generate([1], one_hot(0), truncation_psi=0.5, truncation_mean="class")  # type: ignore[arg-type]


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan2"])
def test_a_truncation_cutoff_truncates_the_first_layers(variant: Variant) -> None:
    network, card = small_model(variant)
    network.mapping.w_avg.copy_(torch.linspace(-0.5, 0.5, 10))
    generator = StyleGanImageGenerator(network, card, "cpu")
    ws = generator.latents([1, 2], one_hot(0, 2))
    for cutoff in (0, 3, None):
        truncated = network.mapping.truncate(ws, 0.4, cutoff)
        options: dict[str, Any] = {"truncation_psi": 0.4, "truncation_cutoff": cutoff, "truncation_mean": "all"}
        images = generator.generate([1, 2], one_hot(0, 2), **options)
        assert np.array_equal(images, generator.images(truncated))
        latents = generator.map_seeds([1, 2], one_hot(0, 2), **options)
        assert np.array_equal(latents, truncated.numpy())
    assert torch.equal(network.mapping.truncate(ws, 0.4, 3)[:, 3:], ws[:, 3:])
    assert torch.equal(network.mapping.truncate(ws, 0.4, 3)[:, :3], network.mapping.truncate(ws, 0.4)[:, :3])


def noisy_generator() -> StyleGanImageGenerator:
    """A StyleGAN2 generator in which noise has an effect."""
    network, card = small_model("stylegan2")
    for name, parameter in network.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.fill_(0.5)
    return StyleGanImageGenerator(network, card, "cpu")


def test_random_noise_depends_only_on_the_seed() -> None:
    generator = noisy_generator()
    state = torch.random.get_rng_state()
    batch = generator.generate([7, 8, 7], one_hot(0, 1, 0), noise_mode="random")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.array_equal(batch[0], batch[2])
    assert np.array_equal(batch[1], generator.generate([8], one_hot(1), noise_mode="random")[0])
    assert not np.array_equal(batch, generator.generate([7, 8, 7], one_hot(0, 1, 0)))
    first, second = (torch.randn(100, generator=noise_rng(seed)) for seed in (7, 8))
    assert not torch.equal(first, second)
    assert not torch.equal(first, torch.randn(100, generator=torch.Generator().manual_seed(7)))


def test_noise_modes_equal_those_of_the_synthesis_network() -> None:
    generator = noisy_generator()
    ws = generator.latents([7, 8], one_hot(0, 1))
    synthesis = generator.synthesis
    assert isinstance(synthesis, StyleGan2Synthesis)
    with torch.no_grad():
        without_noise = to_uint8(synthesis(ws, noise="none"))
        random = to_uint8(torch.cat([synthesis(ws[:1], noise=noise_rng(7)), synthesis(ws[1:], noise=noise_rng(8))]))
    assert np.array_equal(generator.generate([7, 8], one_hot(0, 1), noise_mode="none"), without_noise)
    assert np.array_equal(generator.generate([7, 8], one_hot(0, 1), noise_mode="random"), random)
    assert np.array_equal(generator.generate([7, 8], one_hot(0, 1), noise_mode="const"), generator.images(ws))
    assert not np.array_equal(without_noise, generator.images(ws))


@pytest.mark.parametrize("mode", ["random", "none"])
def test_stylegan3_has_no_noise_inputs(mode: Any) -> None:
    generator = StyleGanImageGenerator(*small_model("stylegan3-t"), "cpu")
    with pytest.raises(ConfigError, match=f"no noise inputs, so noise mode {mode} has no effect; use const"):
        generator.generate([1], one_hot(0), noise_mode=mode)


def test_an_unknown_noise_mode_is_an_error() -> None:
    with pytest.raises(ConfigError, match="noise mode is constant; choose from const, random, none"):
        noisy_generator().generate([1], one_hot(0), noise_mode="constant")  # type: ignore[arg-type]


def test_images_are_translated_and_rotated_without_lasting_effect() -> None:
    generator = StyleGanImageGenerator(*small_model("stylegan3-r"), "cpu")
    original = generator.generate([1], one_hot(0))
    translated = generator.generate([1], one_hot(0), translate=(0.25, 0.0))
    rotated = generator.generate([1], one_hot(0), rotate_deg=90)
    assert np.array_equal(generator.generate([1], one_hot(0)), original)
    centre = slice(5, 12)
    shift = np.abs(translated[0, 4:12, 8:12].astype(int) - original[0, 4:12, 4:8]).mean()
    assert shift < np.abs(translated[0, 4:12, 8:12].astype(int) - original[0, 4:12, 8:12]).mean()
    counterclockwise = np.abs(rotated[0, centre, centre].astype(int) - np.rot90(original[0])[centre, centre]).mean()
    clockwise = np.abs(rotated[0, centre, centre].astype(int) - np.rot90(original[0], -1)[centre, centre]).mean()
    assert counterclockwise < clockwise


@pytest.mark.parametrize(
    ("variant", "classes", "arguments", "problem"),
    [
        ("stylegan3-t", CLASSES, ([1], None), "labels are missing; they must be of shape [1, 3]"),
        ("stylegan3-t", CLASSES, ([1], np.ones((1, 2), np.float32)), "labels are of shape [1, 2]"),
        (
            "stylegan3-t",
            CLASSES,
            ([1], np.full((1, 3), np.nan, np.float32)),
            "labels have NaN or infinity; they must be finite",
        ),
        ("stylegan3-t", (), ([1], np.ones((1, 1), np.float32)), "the model is unconditional; labels must be None"),
        ("stylegan3-t", (), ([], None), "no seeds; at least one is required"),
        ("stylegan3-t", (), ([-1], None), "seed is -1; it must be between 0 and 4294967295"),
        ("stylegan3-t", (), ([2**32], None), "seed is 4294967296"),
    ],
)
def test_invalid_seeds_and_labels_are_errors(
    variant: Variant, classes: tuple[str, ...], arguments: tuple[Any, Any], problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        StyleGanImageGenerator(*small_model(variant, classes), "cpu").generate(*arguments)
    assert problem in str(caught.value)


def test_stylegan2_does_not_support_transforms() -> None:
    generator = StyleGanImageGenerator(*small_model("stylegan2", ()), "cpu")
    assert not generator.supports_transform
    with pytest.raises(ConfigError, match="a StyleGAN2 model does not support translation and rotation"):
        generator.generate([1], None, rotate_deg=3.0)


def test_unavailable_devices_are_errors() -> None:
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
    pixels = StyleGanImageGenerator(*small_model(variant), "cpu").generate(range(8), one_hot(*[0, 1, 2] * 2, 0, 1))
    assert pixels.std() > 10
    assert np.mean((pixels == 0) | (pixels == 255)) < 0.2


def test_random_weights_depend_only_on_the_seed() -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first, second = small_model()[0].state_dict(), small_model()[0].state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("classes", [(), CLASSES], ids=["no labels", "labels"])
def test_generators_satisfy_the_contract(variant: Variant, classes: tuple[str, ...]) -> None:
    check_image_generator(StyleGanImageGenerator(*small_model(variant, classes), "cpu"))


def test_the_card_of_another_generator_is_refused(tmp_path: Path) -> None:
    generator, card = small_model()
    with pytest.raises(
        CheckpointError, match="the model card and its settings have different resolutions or label_dim"
    ):
        save_network(generator, replace(card, resolution=(32, 32)), tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match="the model card and the generator have different settings"):
        save_network(generator, replace(card, settings={**card.settings, "w_dim": 12}), tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def test_models_with_four_channels_are_refused() -> None:
    config = replace(generator_config("stylegan2", resolution=16, channel_base=64, channel_max=4), image_channels=4)
    with pytest.raises(ConfigError, match="the model's images have 4 channels; they must have 1 or 3"):
        StyleGanImageGenerator(Generator(config), random_card(config, (), 0), "cpu")


def test_the_repr_is_one_line() -> None:
    assert repr(StyleGanImageGenerator(*small_model(), "cpu")) == "ImageGenerator(stylegan3, 16x16, 3 classes)"
    unconditional = StyleGanImageGenerator(*small_model(classes=()), "cpu")
    assert repr(unconditional) == "ImageGenerator(stylegan3, 16x16, unconditional)"
