"""Latent files, targets, and the files of projections and edits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from crowdgan_core.api import open_dataset
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.manipulation.density_edit import EditOptions, edit_image, edit_steps
from crowdgan_core.manipulation.edit_files import EditConfig, edit_record, write_edit
from crowdgan_core.manipulation.history import History
from crowdgan_core.manipulation.projection import project_image
from crowdgan_core.manipulation.projection_files import ProjectConfig, write_projection
from crowdgan_core.manipulation.projector import ProjectionOptions
from crowdgan_core.manipulation.targets import find_targets, training_transform
from crowdgan_core.manipulation.tuning import TuningOptions
from crowdgan_core.models.card import ModelCard, read_card
from crowdgan_core.models.generation.conditioning import one_hot
from crowdgan_core.models.generation.png_metadata import read_png_metadata
from crowdgan_core.models.generation.sweep_steps import SweepRange
from crowdgan_core.models.latent_file import encode_latent, read_latent
from crowdgan_core.plugins.discovery import installed_plugins
from tests.support.fidelity import write_squares
from tests.support.linear_generator import LATENT_DIM, NUM_LAYERS, LinearGenerator

DENSE = (0.0, 0.0, 1.0)
SHAPE = (1, NUM_LAYERS, LATENT_DIM)


def write_image(path: Path, height: int = 20, width: int = 30) -> Path:
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def test_a_latent_file_has_the_official_key_and_a_record(tmp_path: Path) -> None:
    latent = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    path = tmp_path / "a.npz"
    path.write_bytes(encode_latent(latent, {"label": [1.5], "unit": "persons/m²"}))
    loaded, record = read_latent(path, LinearGenerator())
    assert np.array_equal(loaded, latent)
    assert record == {"label": [1.5], "unit": "persons/m²"}
    np.savez(tmp_path / "official.npz", w=latent)
    assert read_latent(tmp_path / "official.npz", LinearGenerator())[1] == {}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such file"),
        (b"text", "not a latent file; it must be an .npz file with the array w"),
        ({"z": np.zeros(SHAPE)}, "not a latent file"),
        ({"w": np.array([None], object)}, "not a latent file"),
        ({"w": np.zeros((1, 3, LATENT_DIM))}, r"the latents are of shape \[1, 3, 12\]; this model needs finite ones"),
        ({"w": np.full(SHAPE, np.nan)}, "the latents are not finite"),
        ({"w": np.zeros(SHAPE), "record": np.array("{")}, "not a latent file"),
    ],
)
def test_an_invalid_latent_file_is_an_error(tmp_path: Path, content: Any, problem: str) -> None:
    path = tmp_path / "a.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.savez(path, **content)
    with pytest.raises(DatasetError, match=problem) as caught:
        read_latent(path, LinearGenerator())
    assert str(path) in str(caught.value)


def test_targets_are_cropped_as_the_training_images(tmp_path: Path) -> None:
    card = ModelCard(backend="linear", resolution=(16, 16))
    assert str(training_transform(card)) == "center-crop 16x16"
    assert str(training_transform(card, "none")) == "none 16x16"
    stated = replace(card, provenance={"transform": "none, then center-crop-wide 16x8"})
    assert str(training_transform(stated)) == "center-crop-wide 16x8"
    with pytest.raises(ConfigError, match="none 32x32 does not give images of 16x16 px"):
        training_transform(replace(card, provenance={"transform": "none 32x32"}))
    path = write_image(tmp_path / "a.png")
    (target,) = find_targets(path, card, installed_plugins().scene_sources)
    assert target.name == "a"
    with Image.open(path) as image:
        expected = image.crop((5, 0, 25, 20)).resize((16, 16), Image.Resampling.LANCZOS)
    assert np.array_equal(target.pixels(training_transform(card)), np.asarray(expected))


def test_images_of_a_folder_have_different_names(tmp_path: Path) -> None:
    for name in ("a/x.png", "b/x.png", "y.jpg"):
        write_image(tmp_path / "in" / name)
    targets = find_targets(tmp_path / "in", LinearGenerator().card, installed_plugins().scene_sources)
    assert sorted(target.name for target in targets) == ["x", "x-2", "y"]
    with pytest.raises(DatasetError, match="no such file or folder"):
        find_targets(tmp_path / "none", LinearGenerator().card, installed_plugins().scene_sources)


def test_images_of_a_dataset_have_its_labels_if_the_model_has_them_too(tmp_path: Path) -> None:
    path = write_squares(tmp_path / "squares.zip", 6)
    card, sources = LinearGenerator().card, installed_plugins().scene_sources
    targets = find_targets(path, card, sources)
    with open_dataset(path) as reader:
        expected = [one_hot(card, record.label) for record in reader.metadata.images]  # type: ignore[arg-type]
    assert [target.label for target in targets] == expected
    for other in (replace(card, classes=("a", "b", "c")), LinearGenerator("value").card, LinearGenerator(None).card):
        assert {target.label for target in find_targets(path, other, sources)} == {None}
    values = write_squares(tmp_path / "values.zip", 6, label_kind="value")
    with open_dataset(values) as reader:
        card = replace(LinearGenerator("value").card, unit=reader.metadata.unit)
        expected = [record.label for record in reader.metadata.images]  # type: ignore[misc]
    assert [target.label for target in find_targets(values, card, sources)] == expected


def test_a_projection_has_images_latents_and_a_tuned_model(tmp_path: Path) -> None:
    generator = LinearGenerator()
    target = generator.generate([3], np.array([DENSE], np.float32))[0]
    options, tuning = ProjectionOptions(num_steps=30), TuningOptions(num_tuning_steps=3)
    config = ProjectConfig(outdir=tmp_path / "out", model_name="m.safetensors", options=options, tuning=tuning)
    assert not config.is_complete
    projection = project_image(generator, target, DENSE, options=options, tuning=tuning)
    write_projection(projection, config, "a.png")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(config.names)
    assert config.is_complete
    latent, record = read_latent(tmp_path / "out" / "projected_w.npz", generator)
    assert np.array_equal(latent, projection.latent)
    assert {"target": "a.png", "label": [0, 0, 1], "model": "m.safetensors"}.items() <= record.items()
    assert record["options"]["num_steps"] == 30
    assert record["psnr_db"] > 10
    assert read_png_metadata(tmp_path / "out" / "projection.png") == record
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "target.png")), target)
    assert read_card(tmp_path / "out" / "tuned.safetensors").provenance["tuned on"] == record
    with pytest.raises(DatasetError, match=r"target\.png: already exists"):
        config.check_destination()
    replace(config, overwrite=True).check_destination()


@pytest.mark.parametrize("changes", [{"num_steps": 12}, {"tuner": None, "tuned_image": None}])
def test_an_interrupted_projection_is_kept_and_repeated(tmp_path: Path, changes: dict[str, Any]) -> None:
    generator = LinearGenerator()
    target = generator.generate([3], np.array([DENSE], np.float32))[0]
    options, tuning = ProjectionOptions(num_steps=30), TuningOptions(num_tuning_steps=3)
    config = ProjectConfig(
        outdir=tmp_path / "out", model_name="m.safetensors", options=options, tuning=tuning, save_video=True
    )
    history = History(target)
    projection = project_image(generator, target, DENSE, options=options, tuning=tuning, history=history)
    interrupted = replace(projection, **changes)
    write_projection(interrupted, config, "a.png", History(target))
    latent, record = read_latent(tmp_path / "out" / "projected_w.npz", generator)
    assert np.array_equal(latent, projection.latent)
    assert record["interrupted"] is True
    assert not config.is_complete
    config.check_destination()
    write_projection(projection, config, "a.png", history)
    assert config.is_complete
    with pytest.raises(DatasetError, match="already exists"):
        config.check_destination()


def test_an_output_folder_that_cannot_be_written_is_an_error_before_the_projection(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for config in (
        ProjectConfig(outdir=tmp_path / "file" / "out", model_name="m.safetensors"),
        EditConfig(outdir=tmp_path / "file"),
    ):
        arguments = (3,) if isinstance(config, EditConfig) else ()
        with pytest.raises(DatasetError, match=r"cannot be written \(.*file is not a folder\)"):
            config.check_destination(*arguments)


def test_an_edit_has_a_strip_an_animation_and_images_with_latents(tmp_path: Path) -> None:
    generator = LinearGenerator()
    latent = generator.map_seeds([3], np.array([DENSE], np.float32))
    steps = edit_steps(generator.card, None, SweepRange())
    edit = edit_image(generator, latent, DENSE, steps)
    edit = replace(edit, measured={"ridge": np.array([0.5, 1.5, 2.5, 3.5])})
    record = edit_record(generator.card, "m.safetensors", EditOptions(layers=(1, 2)), {"seed": 3})
    config = EditConfig(outdir=tmp_path, record=record)
    paths = write_edit(edit, generator.card, config)
    assert sorted(paths) == sorted(tmp_path.iterdir())
    with Image.open(tmp_path / "edit.webp") as animation:
        assert animation.n_frames == 6  # type: ignore[attr-defined]  # four images, forwards and backwards
    stored, stored_record = read_latent(tmp_path / "edited-0.npz", generator)
    assert np.array_equal(stored, edit.latents[:1])
    assert {"label": [1, 0, 0], "edited from": [0, 0, 1], "layers": [1, 2], "seed": 3}.items() <= stored_record.items()
    assert np.array_equal(np.asarray(Image.open(tmp_path / "edited-0.png")), edit.images[0])
    strip = read_png_metadata(tmp_path / "edit.png")
    assert strip["labels"] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert strip["measured"] == {"ridge": [1.5, 2.5, 3.5]}
    assert stored_record["measured"] == {"ridge": 1.5}
    assert json.loads(json.dumps(strip)) == strip
    before = {path: path.read_bytes() for path in paths}
    with pytest.raises(DatasetError, match=r"edit\.png: already exists"):
        write_edit(edit, generator.card, config)
    assert {path: path.read_bytes() for path in paths} == before
