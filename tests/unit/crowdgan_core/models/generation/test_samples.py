"""Generated samples: images, files, and errors before generation starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crowdgan_blobs.generator import BlobGenerator
from crowdgan_blobs.model import example_model
from PIL import Image

from crowdgan_core.errors import ConfigError, DatasetError, PluginError
from crowdgan_core.models.generation.conditioning import Conditioning
from crowdgan_core.models.generation.generation import GenerationOptions, generate_images
from crowdgan_core.models.generation.png_metadata import read_png_metadata
from crowdgan_core.models.generation.samples import SampleConfig, tile_images, write_samples
from crowdgan_core.models.latent_file import encode_latent
from crowdgan_core.utils.arrays import ImageArray
from tests.support.linear_generator import NUM_LAYERS, LinearGenerator

SIZE = (12, 16)

DENSE = (0.0, 0.0, 1.0)


class RecordingGenerator(BlobGenerator):
    """Records its batch sizes; fails after `last` images."""

    def __init__(self, last: int = 1000) -> None:
        super().__init__(example_model("class", SIZE))
        self.batches: list[int] = []
        self._last = last

    def generate(self, seeds: Sequence[int], labels: Any, **view: Any) -> Any:
        self.batches.append(len(seeds))
        if sum(self.batches) > self._last:
            raise RuntimeError("out of memory")
        return super().generate(seeds, labels, **view)


class CountingProgress:
    """Progress that counts steps."""

    def __init__(self) -> None:
        self.total = self.done = 0

    def start(self, description: str, total: int) -> None:
        self.total += total

    def advance(self) -> None:
        self.done += 1


def sample_config(outdir: Path, **changes: Any) -> SampleConfig:
    config = SampleConfig(
        outdir=outdir, seeds=(1, 5, 9, 10, 11), model_name="m.safetensors", conditioning=Conditioning(density="dense")
    )
    return replace(config, **changes)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def expected(seeds: Sequence[int], **view: Any) -> np.ndarray:
    return BlobGenerator(example_model("class", SIZE)).generate(
        seeds, np.array([DENSE] * len(seeds), np.float32), **view
    )


def test_each_seed_has_a_file_with_its_image_and_record(tmp_path: Path) -> None:
    generator, progress = RecordingGenerator(), CountingProgress()
    paths = write_samples(generator, sample_config(tmp_path / "out", options=GenerationOptions(batch_size=2)), progress)
    assert [path.name for path in paths] == [f"seed{seed:04d}.png" for seed in (1, 5, 9, 10, 11)]
    assert sorted(paths) == sorted((tmp_path / "out").iterdir())
    for path, image in zip(paths, expected((1, 5, 9, 10, 11)), strict=True):
        assert np.array_equal(pixels(path), image)
    assert generator.batches == [2, 2, 1]
    assert progress.total == progress.done == 5
    record = read_png_metadata(paths[1])
    assert record.pop("software").startswith("crowdgan-core ")
    assert record == {
        "seed": 5,
        "label": [0, 0, 1],
        "density": "dense",
        "truncation_psi": 1.0,
        "model": "m.safetensors",
        "backend": "blobs",
    }


def test_truncation_and_transforms_reach_the_generator_and_the_record(tmp_path: Path) -> None:
    options = GenerationOptions(truncation_psi=0.5, translate=(0.25, -0.1), rotate_deg=20)
    (path,) = write_samples(RecordingGenerator(), sample_config(tmp_path, seeds=(70000,), options=options))
    arguments: dict[str, Any] = {"truncation_psi": 0.5, "translate": (0.25, -0.1), "rotate_deg": 20}
    assert path.name == "seed70000.png"
    assert np.array_equal(pixels(path), expected([70000], **arguments)[0])
    assert {**arguments, "translate": [0.25, -0.1]}.items() <= read_png_metadata(path).items()


def test_a_grid_is_filled_row_by_row(tmp_path: Path) -> None:
    write_samples(RecordingGenerator(), sample_config(tmp_path, seeds=tuple(range(6)), grid=(3, 2)))
    assert [path.name for path in tmp_path.iterdir()] == ["grid.png"]
    one, two, three, four, five, six = expected(range(6))
    rows = [np.hstack([one, two, three]), np.hstack([four, five, six])]
    assert np.array_equal(pixels(tmp_path / "grid.png"), np.vstack(rows))
    assert {"seeds": [0, 1, 2, 3, 4, 5], "grid": [3, 2]}.items() <= read_png_metadata(tmp_path / "grid.png").items()
    assert tile_images(np.zeros((6, 4, 5, 3), np.uint8), (2, 3)).shape == (12, 10, 3)


def test_a_model_without_labels_receives_none(tmp_path: Path) -> None:
    generator = BlobGenerator(example_model(None, SIZE))
    (path,) = write_samples(generator, sample_config(tmp_path, seeds=(3,), conditioning=Conditioning()))
    assert np.array_equal(pixels(path), generator.generate([3], None)[0])
    assert not {"label", "density"} & set(read_png_metadata(path))


@pytest.mark.parametrize(("grid", "name"), [(None, "seed0009.png"), ((5, 1), "grid.png")])
def test_an_existing_file_is_an_error_before_generation_starts(
    tmp_path: Path, grid: tuple[int, int] | None, name: str
) -> None:
    generator = RecordingGenerator()
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(DatasetError, match=f"{name}: already exists"):
        write_samples(generator, sample_config(tmp_path, grid=grid))
    assert generator.batches == []
    assert (tmp_path / name).read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 1
    write_samples(generator, sample_config(tmp_path, grid=grid, overwrite=True))
    assert pixels(tmp_path / name).shape[2] == 3


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"conditioning": Conditioning(density="full")}, "density 'full': the model has no such class"),
        ({"conditioning": Conditioning()}, "the model needs a label"),
    ],
)
def test_an_invalid_label_is_an_error_before_generation_starts(
    tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    generator = RecordingGenerator()
    with pytest.raises(ConfigError, match=problem):
        write_samples(generator, sample_config(tmp_path / "out", **changes))
    assert generator.batches == []
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_or_too_large_grid_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="grid 3x2 has 6 cells for 5 seeds; choose for example 5x1, 1x5"):
        sample_config(tmp_path, grid=(3, 2))
    many = sample_config(tmp_path, seeds=tuple(range(1000)), grid=(100, 10))
    card = replace(example_model("class", SIZE).card, resolution=(1024, 1024))
    with pytest.raises(ConfigError, match="grid 100x10: 102400x10240 px is too large"):
        many.check_model(card)


def test_finished_images_remain_after_an_error_and_none_is_incomplete(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        write_samples(
            RecordingGenerator(last=4), sample_config(tmp_path / "out", options=GenerationOptions(batch_size=2))
        )
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["seed0001.png", "seed0005.png", "seed0009.png", "seed0010.png"]
    with pytest.raises(RuntimeError, match="out of memory"):
        write_samples(RecordingGenerator(last=0), sample_config(tmp_path / "other"))
    assert not (tmp_path / "other").exists()


def test_an_unsupported_transform_is_an_error_before_generation_starts(tmp_path: Path) -> None:
    generator = RecordingGenerator()
    generator.supports_transform = False
    for options in (GenerationOptions(translate=(0.1, 0)), GenerationOptions(rotate_deg=1)):
        with pytest.raises(
            ConfigError, match="the model does not support translation and rotation; remove --translate and --rotate"
        ):
            write_samples(generator, sample_config(tmp_path / "out", options=options))
    assert generator.batches == []


def test_a_truncation_cutoff_truncates_the_coarse_layers_and_is_recorded(tmp_path: Path) -> None:
    generator = LinearGenerator()
    options = GenerationOptions(truncation_psi=0.3, truncation_cutoff=2)
    (path,) = write_samples(generator, sample_config(tmp_path, seeds=(3,), options=options))
    labels = np.array([DENSE], np.float32)
    latents, truncated = generator.map_seeds([3], labels), generator.map_seeds([3], labels, truncation_psi=0.3)
    latents[:, :2] = truncated[:, :2]
    assert np.array_equal(pixels(path), generator.synthesise(latents)[0])
    assert {"truncation_psi": 0.3, "truncation_cutoff": 2}.items() <= read_png_metadata(path).items()


def test_the_truncation_mean_is_passed_on_and_recorded(tmp_path: Path) -> None:
    options = GenerationOptions(truncation_psi=0.0, truncation_mean="all")
    conditioning = Conditioning(density="dense")
    config = sample_config(tmp_path / "out", seeds=(1,), conditioning=conditioning, options=options)
    (path,) = write_samples(LinearGenerator(), config)
    assert read_png_metadata(path)["truncation_mean"] == "all"
    assert (pixels(path) == pixels(path)[0, 0]).all(), "latents of zeros give an image of one colour"


def write_latent(path: Path, seed: int) -> np.ndarray:
    """Writes a latent file of a seed; returns its image."""
    generator = LinearGenerator()
    latent = generator.map_seeds([seed], np.array([[0, 0, 1]], np.float32))
    path.write_bytes(encode_latent(latent, {"seed": seed}))
    return generator.synthesise(latent)[0]


def test_images_of_latent_files_are_generated(tmp_path: Path) -> None:
    files = (tmp_path / "a.npz", tmp_path / "b.npz")
    images = [write_latent(path, seed) for seed, path in enumerate(files)]
    config = SampleConfig(outdir=tmp_path / "out", latents=files, model_name="m.safetensors")
    paths = write_samples(LinearGenerator(), config)
    assert [path.name for path in paths] == ["latent0000.png", "latent0001.png"]
    for path, image in zip(paths, images, strict=True):
        assert np.array_equal(pixels(path), image)
    record = read_png_metadata(paths[1])
    assert (record["latent"], record["latent_record"], record["model"]) == ("b.npz", {"seed": 1}, "m.safetensors")
    assert "truncation_psi" not in record
    (grid,) = write_samples(LinearGenerator(), replace(config, grid=(2, 1)))
    assert np.array_equal(pixels(grid), np.concatenate(images, axis=1))
    assert [item["latent"] for item in read_png_metadata(grid)["latents"]] == ["a.npz", "b.npz"]


def test_images_of_latent_files_are_translated_and_rotated(tmp_path: Path) -> None:
    class Rolling(LinearGenerator):
        supports_transform = True

        def synthesise(self, latents: Any, *, translate: Any = (0, 0), rotate_deg: float = 0) -> Any:
            return np.roll(super().synthesise(latents), round(16 * translate[0] + rotate_deg), axis=2)

    image = write_latent(tmp_path / "a.npz", 0)
    options = GenerationOptions(translate=(0.25, 0.0), rotate_deg=2.0)
    config = SampleConfig(
        outdir=tmp_path / "out", latents=(tmp_path / "a.npz",), model_name="m.safetensors", options=options
    )
    (path,) = write_samples(Rolling(), config)
    assert np.array_equal(pixels(path), np.roll(image, 6, axis=1))
    assert {"translate": [0.25, 0.0], "rotate_deg": 2.0}.items() <= read_png_metadata(path).items()
    with pytest.raises(ConfigError, match="does not support translation and rotation"):
        write_samples(LinearGenerator(), replace(config, overwrite=True))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"seeds": (1,)}, "give either --seeds or --latent"),
        ({"latents": ()}, "give either --seeds or --latent"),
        ({"conditioning": Conditioning(density="dense")}, "latents determine their image; remove --density"),
        ({"options": GenerationOptions(truncation_psi=0.5)}, "latents determine their image"),
        ({"options": GenerationOptions(translate=(0.1, 0), noise_mode="none")}, "latents determine their image"),
    ],
)
def test_latents_together_with_other_options_are_an_error(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        SampleConfig(**{"outdir": Path("out"), "latents": (Path("a.npz"),), "model_name": "m", **changes})


def test_a_damaged_latent_file_is_an_error_before_the_first_image(tmp_path: Path) -> None:
    write_latent(tmp_path / "a.npz", 0)
    (tmp_path / "b.npz").write_text("text")
    config = SampleConfig(
        outdir=tmp_path / "out", latents=(tmp_path / "a.npz", tmp_path / "b.npz"), model_name="m.safetensors"
    )
    with pytest.raises(DatasetError, match="not a latent file"):
        write_samples(LinearGenerator(), config)
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize(
    ("generator", "cutoff", "problem"),
    [
        (RecordingGenerator(), 2, "--truncation-cutoff needs intermediate latents; the backend blobs has none"),
        (LinearGenerator(), NUM_LAYERS + 1, "--truncation-cutoff is 5; the model has 4 layers"),
        (LinearGenerator(), -1, "truncation cutoff is -1; it must be at least 0"),
    ],
)
def test_an_unsupported_truncation_cutoff_is_an_error(
    tmp_path: Path, generator: Any, cutoff: int, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        write_samples(generator, sample_config(tmp_path / "out", options=GenerationOptions(truncation_cutoff=cutoff)))
    assert list(tmp_path.iterdir()) == []


class NoisyGenerator(LinearGenerator):
    """Inverts images with random noise."""

    def generate(self, *arguments: Any, noise_mode: str = "const", **options: Any) -> Any:
        images = super().generate(*arguments, **options)
        return 255 - images if noise_mode == "random" else images


def test_a_noise_mode_reaches_the_generator_and_the_record(tmp_path: Path) -> None:
    generator, config = NoisyGenerator(), sample_config(tmp_path, seeds=(3,))
    (path,) = write_samples(generator, config)
    constant = pixels(path)
    assert "noise_mode" not in read_png_metadata(path)
    noisy = replace(config, options=GenerationOptions(noise_mode="random"), overwrite=True)
    write_samples(generator, noisy)
    assert np.array_equal(pixels(path), 255 - constant)
    assert read_png_metadata(path)["noise_mode"] == "random"
    with pytest.raises(ConfigError, match="the backend blobs has no noise inputs; remove --noise-mode"):
        write_samples(RecordingGenerator(), noisy)


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (lambda images: images / np.float32(255), "returned float32 of shape (1, 12, 16, 3)"),
        (lambda images: images[0], "returned uint8 of shape (12, 16, 3)"),
        (lambda images: None, "returned NoneType"),
    ],
)
def test_a_generator_that_does_not_return_images_is_an_error(
    result: Callable[[ImageArray], object], problem: str
) -> None:
    class WrongGenerator(BlobGenerator):
        def generate(self, *args: Any, **options: Any) -> Any:
            return result(super().generate(*args, **options))

    with pytest.raises(PluginError) as caught:
        list(generate_images(WrongGenerator(example_model(None, SIZE)), [1], [None], GenerationOptions()))
    expected = f"generate: {problem}; it must be uint8 of shape (1, 12, 16, 3)"
    assert str(caught.value) == f"image generator WrongGenerator: {expected}"


def test_an_error_in_the_code_of_a_generator_names_it() -> None:
    class FailingGenerator(BlobGenerator):
        def generate(self, *args: Any, **options: Any) -> Any:
            raise RuntimeError("out of memory")

    with pytest.raises(PluginError) as caught:
        list(generate_images(FailingGenerator(example_model(None, SIZE)), [1], [None], GenerationOptions()))
    expected = "image generator FailingGenerator failed: generate: RuntimeError: out of memory"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    "invalid", [{"truncation_psi": float("nan")}, {"translate": (0.0, float("inf"))}, {"rotate_deg": float("nan")}]
)
def test_options_that_are_not_finite_are_an_error(invalid: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must be finite numbers of at most 1e\\+30"):
        GenerationOptions(**invalid)
    with pytest.raises(ConfigError, match="batch size is 0; it must be at least 1"):
        GenerationOptions(batch_size=0)


@pytest.mark.parametrize("data", [None, b"not an image", b"\x89PNG\r\n\x1a\n"])
def test_a_file_without_a_record_is_an_error(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "a.png"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"a\.png: not a PNG file generated by crowdgan"):
        read_png_metadata(path)
    Image.new("RGB", (2, 2)).save(path)
    with pytest.raises(DatasetError, match=r"a\.png: not a PNG file generated by crowdgan"):
        read_png_metadata(path)
