"""Sweeps: their steps, captions, strips and animations."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crowdgan_blobs.generator import BlobGenerator
from crowdgan_blobs.model import example_model
from PIL import ExifTags, Image, features

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.captions import PAPER, CaptionBand, drawable_text
from crowdgan_core.models.generation.generation import GenerationOptions
from crowdgan_core.models.generation.png_metadata import read_png_metadata
from crowdgan_core.models.generation.strips import add_captions, check_animation, image_strip
from crowdgan_core.models.generation.sweep_steps import SweepRange, sweep_steps
from crowdgan_core.models.generation.sweeps import SweepConfig, write_sweeps

SIZE = (96, 128)

CLASSES = example_model("class", SIZE).card
VALUE = example_model("value", SIZE).card


def vectors(card: ModelCard, **fields: Any) -> list[tuple[float, ...]]:
    return [step.vector for step in sweep_steps(card, SweepRange(**fields))]


def captions(card: ModelCard, **fields: Any) -> list[tuple[str, ...]]:
    return [step.caption for step in sweep_steps(card, SweepRange(**fields))]


def test_a_sweep_has_every_class_in_order() -> None:
    assert vectors(CLASSES) == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    assert captions(CLASSES) == [("sparse",), ("medium",), ("dense",)]
    unnamed = replace(CLASSES, classes=())
    assert captions(unnamed) == [("class 0",), ("class 1",), ("class 2",)]


def test_steps_interpolate_between_neighbouring_classes() -> None:
    assert vectors(CLASSES, steps=5) == [(1, 0, 0), (0.5, 0.5, 0), (0, 1, 0), (0, 0.5, 0.5), (0, 0, 1)]
    assert captions(CLASSES, steps=5)[3] == ("50% medium", "50% dense")
    assert vectors(CLASSES, steps=2) == [(1, 0, 0), (0, 0, 1)]


@pytest.mark.parametrize("steps", [4, 7, 11, 50, 1000])
def test_steps_are_mixtures_that_sum_to_one_and_increase(steps: int) -> None:
    steps_array = np.array(vectors(CLASSES, steps=steps))
    assert steps_array.shape == (steps, 3)
    assert steps_array.sum(axis=1) == pytest.approx(1)
    assert (np.diff(steps_array @ [0, 1, 2]) > 0).all()
    assert steps_array[-1].tolist() == [0, 0, 1]


def test_densities_are_evenly_spaced_between_first_and_last() -> None:
    assert vectors(VALUE, first=0.5, last=4, steps=3) == [(0.5,), (2.25,), (4.0,)]
    assert captions(VALUE, first=0.5, last=4, steps=3)[1] == ("2.25", "persons/m²")
    assert len(vectors(VALUE, first=0.0, last=4)) == 7
    assert captions(replace(VALUE, unit=None), first=0.0, last=4)[0] == ("0",)


def test_without_a_range_the_densities_are_those_of_the_training_data() -> None:
    assert vectors(replace(VALUE, label_range=(1.0, 4.0)), steps=3) == [(1.0,), (2.5,), (4.0,)]
    assert vectors(replace(VALUE, label_range=(1.0, 4.0)), first=0.0, last=2.0, steps=2) == [(0.0,), (2.0,)]


def test_steps_over_more_than_a_factor_of_10_are_logarithmic() -> None:
    assert np.ravel(vectors(VALUE, first=0.04, last=4, steps=3)) == pytest.approx([0.04, 0.4, 4])
    assert np.ravel(vectors(VALUE, first=4, last=0.04, steps=3)) == pytest.approx([4, 0.4, 0.04])


@pytest.mark.parametrize(
    ("card", "fields", "problem"),
    [
        (replace(VALUE, label_range=(2.0, 2.0)), {}, "the model's label is the density in persons/m²; give its range"),
        (example_model(None).card, {}, "the model has no labels, so it cannot be swept"),
        (VALUE, {}, "the model's label is the density in persons/m²; give its range, for example --from 0.5 --to 4"),
        (CLASSES, {"first": 1, "last": 2}, "the model's labels are classes (sparse, medium, dense); remove --from"),
        (replace(CLASSES, label_dim=1, classes=("any",)), {}, "the model has only one class, any, so it cannot be"),
        (replace(VALUE, label_dim=2), {"first": 1, "last": 2}, "the model's label has 2 numbers; a sweep needs one"),
        (VALUE, {"first": 1}, "only one of first and last density is given; give"),
        (VALUE, {"first": 1, "last": 1}, "densities are 1 to 1; they must be two different numbers"),
        (VALUE, {"first": 1, "last": float("nan")}, "densities are 1 to nan; they must be two different numbers"),
        (CLASSES, {"steps": 1}, "steps is 1; it must be from 2 to 1000"),
        (CLASSES, {"steps": 1001}, "steps is 1001; it must be from 2 to 1000"),
    ],
)
def test_an_invalid_sweep_is_an_error(card: ModelCard, fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sweep_steps(card, SweepRange(**fields))
    assert str(caught.value).startswith(problem)


def has_ink(image: Image.Image) -> np.ndarray:
    return (np.asarray(image) != PAPER).any(axis=2)


@pytest.mark.parametrize("width", [128, 200, 512])
@pytest.mark.parametrize("caption", [("dense",), ("50% sparse", "50% medium"), ("1.25", "persons/m²")])
def test_a_caption_is_centred_in_its_band(width: int, caption: tuple[str, ...]) -> None:
    band = CaptionBand.fit([caption], width).draw(caption)
    ink = has_ink(band)
    assert ink.any()
    columns, rows = np.flatnonzero(ink.any(axis=0)), np.flatnonzero(ink.any(axis=1))
    assert columns[0] > 2
    assert columns[-1] < width - 3
    assert abs(columns[0] + columns[-1] - width) <= 6
    assert rows[0] > 1
    assert rows[-1] < band.height - 2


def test_long_captions_reduce_the_common_font_size() -> None:
    short, long = ("dense",), ("an extraordinarily crowded place",)
    short_band, common_band = CaptionBand.fit([short], 256), CaptionBand.fit([short, long], 256)
    assert common_band.size_px < short_band.size_px
    assert common_band.width_px == 256
    assert has_ink(common_band.draw(long))[:, [0, 1, -2, -1]].sum() == 0


def test_missing_characters_are_replaced_and_a_superscript_is_a_raised_digit() -> None:
    assert drawable_text("dicht gedrängt, persons/m²") == "dicht gedrangt, persons/m²"
    assert drawable_text("密度 a\nb") == "?? a?b"
    plain, raised = (CaptionBand(128, 20, 1).draw((text,)) for text in ("m2", "m²"))
    tops, bottoms = [], []
    for band in (plain, raised):
        ink = has_ink(band)
        digit = ink[:, np.flatnonzero(ink.any(axis=0))[-4:]]
        rows = np.flatnonzero(digit.any(axis=1))
        tops.append(rows[0])
        bottoms.append(rows[-1])
    assert tops[1] <= tops[0] + 1
    assert bottoms[1] < bottoms[0] - 3


def test_images_are_unchanged_above_their_captions_and_small_ones_upscaled() -> None:
    images = BlobGenerator(example_model("class", SIZE)).generate([3, 3], np.eye(3, dtype=np.float32)[:2])
    first, second = add_captions(list(images), [("one",), ("two", "lines")])
    assert first.size == second.size
    assert np.array_equal(np.asarray(second)[:96], images[1])
    (small,) = add_captions([images[0][:10, :50]], [("one",)])
    assert small.size[0] == 150
    centres = np.asarray(small)[1:30:3, 1::3].astype(int)
    assert np.array_equal(centres, images[0][:10, :50])
    sheet = image_strip([first, second])
    gap = 5
    assert sheet.shape == (first.height + gap, 2 * 128 + 3 * gap, 3)
    assert np.array_equal(sheet[gap:, gap : gap + 128], np.asarray(first))
    assert np.array_equal(sheet[gap:, 128 + 2 * gap : -gap], np.asarray(second))


def sweep_config(outdir: Path, **changes: Any) -> SweepConfig:
    return replace(SweepConfig(outdir=outdir, seeds=(3,), model_name="m.safetensors"), **changes)


def frames(path: Path) -> list[np.ndarray]:
    with Image.open(path) as image:
        frame_list = []
        for index in range(image.n_frames):  # type: ignore[attr-defined]
            image.seek(index)
            frame_list.append(np.asarray(image.convert("RGB")).astype(float))
        assert image.info["loop"] == 0
    return frame_list


@pytest.mark.parametrize("animation", ["webp", "gif"])
def test_a_sweep_is_a_strip_and_an_animation_forwards_and_backwards(tmp_path: Path, animation: Any) -> None:
    generator = BlobGenerator(example_model("class", SIZE))
    config = sweep_config(tmp_path, seeds=(3, 12345), sweep_range=SweepRange(steps=4), animation=animation)
    paths = write_sweeps(generator, replace(config, options=GenerationOptions(truncation_psi=0.5, batch_size=3)))
    expected = [f"sweep-seed{seed}.{suffix}" for seed in ("0003", "12345") for suffix in ("png", animation)]
    assert [path.name for path in paths] == expected
    assert sorted(paths) == sorted(tmp_path.iterdir())
    labels = np.array(vectors(CLASSES, steps=4), np.float32)
    images = generator.generate([3] * 4, labels, truncation_psi=0.5)
    with Image.open(paths[0]) as strip:
        sheet = np.asarray(strip)
    for index, image in enumerate(images):
        left = 5 + 133 * index
        assert np.array_equal(sheet[5:101, left : left + 128], image)
    animation_frames = frames(paths[1])
    assert len(animation_frames) == 6
    order = [np.argmin([np.abs(frame[:96] - image).mean() for image in images]) for frame in animation_frames]
    assert order == [0, 1, 2, 3, 2, 1]


def test_a_sheet_has_a_row_per_seed_and_the_captions_below(tmp_path: Path) -> None:
    generator = BlobGenerator(example_model("class", SIZE))
    config = sweep_config(tmp_path, seeds=(3, 4), sheet=True)
    paths = write_sweeps(generator, config)
    assert paths[-1] == tmp_path / "sweep.png"
    assert sorted(paths) == sorted(tmp_path.iterdir())
    first, last, sheet = (np.asarray(Image.open(path)) for path in (paths[0], paths[2], paths[-1]))
    height = 5 + SIZE[0]
    assert np.array_equal(sheet, np.concatenate([first[:height], last]))
    assert read_png_metadata(paths[-1])["seeds"] == [3, 4]
    with pytest.raises(DatasetError, match=r"sweep\.png: already exists"):
        write_sweeps(generator, replace(config, seeds=(5,)))
    assert not (tmp_path / "sweep-seed0005.png").exists()
    large = replace(CLASSES, resolution=(1024, 1024))
    replace(config, seeds=tuple(range(30))).check_model(large)
    with pytest.raises(ConfigError, match="180 images of 1024x1024 px are too many for a sheet; use fewer seeds"):
        replace(config, seeds=tuple(range(60))).check_model(large)


def test_sweeps_record_model_labels_and_options(tmp_path: Path) -> None:
    generator = BlobGenerator(example_model("value", SIZE))
    sweep_range = SweepRange(first=1, last=2, steps=2)
    strip_path, webp = write_sweeps(generator, sweep_config(tmp_path, sweep_range=sweep_range))
    _, gif = write_sweeps(generator, sweep_config(tmp_path / "b", sweep_range=sweep_range, animation="gif"))
    record = read_png_metadata(strip_path)
    assert {"seed": 3, "labels": [[1], [2]], "captions": ["1 persons/m²", "2 persons/m²"]}.items() <= record.items()
    assert {"model": "m.safetensors", "backend": "blobs", "truncation_psi": 1.0}.items() <= record.items()
    with Image.open(webp) as image:
        assert json.loads(image.getexif()[ExifTags.Base.ImageDescription]) == record
    with Image.open(gif) as image:
        assert json.loads(image.info["comment"]) == record


@pytest.mark.parametrize("name", ["sweep-seed0003.png", "sweep-seed0003.webp"])
def test_either_existing_file_is_an_error(tmp_path: Path, name: str) -> None:
    generator = BlobGenerator(example_model("class", SIZE))
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(DatasetError, match=f"{name}: already exists"):
        write_sweeps(generator, sweep_config(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"precious"
    write_sweeps(generator, sweep_config(tmp_path, overwrite=True))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_strip_that_is_too_large_is_an_error(tmp_path: Path) -> None:
    large = replace(CLASSES, resolution=(1024, 1024))
    sweep_config(tmp_path, sweep_range=SweepRange(steps=100)).check_model(large)
    with pytest.raises(ConfigError, match="200 images of 1024x1024 px are too many for a strip; use fewer steps"):
        sweep_config(tmp_path, sweep_range=SweepRange(steps=200)).check_model(large)
    with pytest.raises(ConfigError, match="1000 images of 128x1536 px are too many"):
        sweep_config(tmp_path, sweep_range=SweepRange(steps=1000)).check_model(replace(CLASSES, resolution=(96, 8)))


def test_missing_webp_support_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda name: False)
    check_animation("gif")
    with pytest.raises(ConfigError, match="this Pillow was built without WebP; use --format gif"):
        check_animation("webp")
