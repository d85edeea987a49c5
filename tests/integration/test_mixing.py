"""`crowdgan mix` with a StyleGAN model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import crowdgan_core
from crowdgan_core.cli.app import build_tree
from crowdgan_core.errors import ConfigError
from crowdgan_core.models.generation.png_metadata import read_png_metadata
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_stylegan3.config import Variant, generator_config
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
from crowdgan_stylegan3.inference.random_init import random_card, random_generator
from crowdgan_stylegan3.io.safetensors_files import save_network

CLASSES = ("sparse", "dense")


def write_model(path: Path, variant: Variant) -> Path:
    config = generator_config(variant, resolution=16, label_dim=2, channel_base=128, channel_max=8)
    save_network(random_generator(config, seed=1), random_card(config, CLASSES, 1), path)
    return path


def crowdgan(*arguments: Any) -> Result:
    return CliRunner().invoke(build_tree(installed_plugins()), [str(argument) for argument in arguments])


@pytest.mark.parametrize("variant", ["stylegan2", "stylegan3-t"])
def test_the_layers_of_two_sets_of_seeds_are_mixed(tmp_path: Path, variant: Variant) -> None:
    model, out = write_model(tmp_path / "m.safetensors", variant), tmp_path / "out"
    mix = ("mix", "--network", model, "--rows", "1-2", "--cols", "3,5,8", "--density", "dense", "--outdir", out)
    run = crowdgan(*mix, "--styles", "1-3", "--trunc", "0.7", "--device", "cpu")
    assert run.exit_code == 0, run.output
    assert run.output == f"wrote {out / 'mix.png'} and 6 images of pairs\n"
    generator = crowdgan_core.load_generator(model, "cpu")
    assert isinstance(generator, StyleGanImageGenerator)
    labels = np.array([[0, 1]], np.float32)
    latents, styles = (generator.map_seeds([seed], labels, truncation_psi=0.7) for seed in (2, 5))
    latents[:, 1:4] = styles[:, 1:4]
    with Image.open(out / "mix-0002-0005.png") as image:
        assert np.array_equal(np.asarray(image), generator.synthesise(latents)[0])
    with Image.open(out / "mix.png") as grid:
        assert grid.size == (4 * 16, 3 * 16)
    assert read_png_metadata(out / "mix-0002-0005.png")["styles"] == [1, 2, 3]
    assert "already exists" in str(crowdgan(*mix).exception)
    too_fine = crowdgan(*mix, "--styles", "0-40", "--overwrite")
    assert isinstance(too_fine.exception, ConfigError)
    last = generator.latent_shape[0] - 1
    assert str(too_fine.exception).endswith(f"does not exist; the model has the layers 0 to {last}")
