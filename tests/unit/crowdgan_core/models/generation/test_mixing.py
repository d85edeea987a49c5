"""Style mixing: the mixed layers, the grid, the files, and errors before generation starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crowdgan_blobs.generator import BlobGenerator
from crowdgan_blobs.model import example_model
from PIL import Image

import crowdgan_core
from crowdgan_core.errors import ConfigError, DatasetError, PluginError
from crowdgan_core.models.generation.conditioning import Conditioning
from crowdgan_core.models.generation.generation import GenerationOptions
from crowdgan_core.models.generation.mixing import MixConfig, write_mixes
from crowdgan_core.models.generation.png_metadata import read_png_metadata
from tests.support.linear_generator import NUM_LAYERS, LinearGenerator

ROWS, COLS = (1, 5), (7, 1, 90000)


class RecordingGenerator(LinearGenerator):
    """Records the sizes of its batches of latents."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.batches: list[int] = []

    def synthesise(self, latents: Any) -> np.ndarray:
        self.batches.append(len(latents))
        return super().synthesise(latents)


class CountingProgress:
    """Progress that counts steps."""

    total = done = 0

    def start(self, description: str, total: int) -> None:
        self.total += total

    def advance(self) -> None:
        self.done += 1


def mix_config(outdir: Path, **changes: Any) -> MixConfig:
    config = MixConfig(
        rows=ROWS, cols=COLS, outdir=outdir, model_name="m.safetensors", conditioning=Conditioning(density="dense")
    )
    return replace(config, **changes)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def expected_image(row: int, col: int, layers: list[int], **truncation: Any) -> np.ndarray:
    generator, labels = LinearGenerator(), np.array([[0, 0, 1]], np.float32)
    latents = generator.map_seeds([row], labels, **truncation)
    latents[:, layers] = generator.map_seeds([col], labels, **truncation)[:, layers]
    return generator.synthesise(latents)[0]


@pytest.mark.parametrize(("styles", "layers"), [(None, [0, 1]), ((1, 3), [1, 3]), (tuple(range(4)), [0, 1, 2, 3])])
def test_each_pair_takes_the_layers_of_the_column_seed_and_the_others_of_the_row_seed(
    tmp_path: Path, styles: Any, layers: list[int]
) -> None:
    generator, progress = RecordingGenerator(), CountingProgress()
    options = GenerationOptions(truncation_psi=0.7, truncation_cutoff=3, batch_size=3)
    paths = write_mixes(generator, mix_config(tmp_path, styles=styles, options=options), progress)
    names = [f"mix-{row}-{col}.png" for row in ("0001", "0005") for col in ("0007", "0001", "90000")]
    assert [path.name for path in paths] == ["mix.png", *names]
    assert sorted(paths) == sorted(tmp_path.iterdir())
    truncation: dict[str, Any] = {"truncation_psi": 0.7, "truncation_cutoff": 3}
    pairs = [(row, col) for row in ROWS for col in COLS]
    for path, (row, col) in zip(paths[1:], pairs, strict=True):
        assert np.array_equal(pixels(path), expected_image(row, col, layers, **truncation))
        record = read_png_metadata(path)
        assert {"row": row, "col": col, "styles": layers, "density": "dense", **truncation}.items() <= record.items()
        assert {"model": "m.safetensors", "backend": "linear"}.items() <= record.items()
    assert generator.batches == [3, 3, 1, 3, 1]
    assert progress.total == progress.done == 2 + 3 + 2 * 3


def test_the_grid_has_the_column_seeds_above_and_the_row_seeds_on_the_left(tmp_path: Path) -> None:
    grid_path, *pair_paths = write_mixes(LinearGenerator(), mix_config(tmp_path))
    labels = np.array([[0, 0, 1]], np.float32)
    seeds = {seed: LinearGenerator().generate([seed], labels)[0] for seed in (*ROWS, *COLS)}
    blank = np.full((16, 16, 3), 255, np.uint8)
    pairs = [pixels(path) for path in pair_paths]
    rows = [
        np.hstack([blank, *(seeds[col] for col in COLS)]),
        np.hstack([seeds[1], *pairs[:3]]),
        np.hstack([seeds[5], *pairs[3:]]),
    ]
    assert np.array_equal(pixels(grid_path), np.vstack(rows))
    assert {"rows": [1, 5], "cols": [7, 1, 90000], "styles": [0, 1]}.items() <= read_png_metadata(grid_path).items()
    assert np.array_equal(pairs[1], seeds[1]), "a seed mixed with itself is unchanged"


def test_a_model_without_labels_is_mixed_and_the_function_returns_the_files_images(tmp_path: Path) -> None:
    generator = LinearGenerator(None)
    _, *paths = write_mixes(generator, mix_config(tmp_path, conditioning=Conditioning(), styles=(3,)))
    images = crowdgan_core.mix_images(generator, ROWS, COLS, styles=[3], batch_size=2)
    assert images.shape == (2, 3, 16, 16, 3)
    assert np.array_equal(images.reshape(6, 16, 16, 3), np.stack([pixels(path) for path in paths]))
    assert not {"label", "density"} & set(read_png_metadata(paths[0]))


@pytest.mark.parametrize(
    ("generator", "changes", "problem"),
    [
        (
            BlobGenerator(example_model("class")),
            {},
            "style mixing needs intermediate latents; the backend blobs has none",
        ),
        (RecordingGenerator(), {"styles": (0, 4)}, "styles: layer 4 does not exist; the model has the layers 0 to 3"),
        (RecordingGenerator(), {"conditioning": Conditioning()}, "the model needs a label: choose from sparse"),
        (RecordingGenerator(), {"conditioning": Conditioning(density="full")}, "density 'full': the model has no such"),
        (RecordingGenerator(None), {}, "the model has no labels; remove the density or label"),
        (
            RecordingGenerator("class", (1024, 1024)),
            {"rows": tuple(range(20)), "cols": tuple(range(20))},
            "grid 21x21: 21504x21504 px is too large; use fewer seeds",
        ),
        (
            RecordingGenerator(),
            {"options": GenerationOptions(truncation_cutoff=NUM_LAYERS + 1)},
            "--truncation-cutoff is 5; the model has 4 layers",
        ),
    ],
)
def test_invalid_input_is_an_error_before_generation_starts(
    tmp_path: Path, generator: Any, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        write_mixes(generator, mix_config(tmp_path / "out", **changes))
    assert str(caught.value).startswith(problem)
    assert getattr(generator, "batches", []) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mix.png", "mix-0005-90000.png"])
def test_an_existing_file_is_an_error_before_generation_starts(tmp_path: Path, name: str) -> None:
    generator = RecordingGenerator()
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(DatasetError, match=f"{name}: already exists"):
        write_mixes(generator, mix_config(tmp_path))
    assert generator.batches == []
    assert (tmp_path / name).read_bytes() == b"precious"
    write_mixes(generator, mix_config(tmp_path, overwrite=True))
    assert len(list(tmp_path.iterdir())) == 7


def test_a_generator_that_returns_a_wrong_type_is_an_error(tmp_path: Path) -> None:
    class FloatGenerator(LinearGenerator):
        def synthesise(self, latents: Any) -> Any:
            return super().synthesise(latents) / np.float32(255)

    with pytest.raises(PluginError, match="synthesise: returned float32 of shape"):
        write_mixes(FloatGenerator(), mix_config(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []
