"""Sweeps: their steps, captions, strips and animations."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crowdgan_blobs.generator import BlobGenerator
from crowdgan_blobs.model import made_up_model
from PIL import ExifTags, Image, features

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.captions import PAPER, CaptionBand, drawable
from crowdgan_core.models.generation.generation import GenerationOptions
from crowdgan_core.models.generation.png_metadata import read_png_metadata
from crowdgan_core.models.generation.strips import add_captions, check_animation, image_strip
from crowdgan_core.models.generation.sweep_steps import SweepRange, sweep_steps
from crowdgan_core.models.generation.sweeps import SweepConfig, write_sweeps

SIZE = (96, 128)

CLASSES = made_up_model("class", SIZE).card
VALUE = made_up_model("value", SIZE).card


def vectors(card: ModelCard, **asked: Any) -> list[tuple[float, ...]]:
    return [step.vector for step in sweep_steps(card, SweepRange(**asked))]


def captions(card: ModelCard, **asked: Any) -> list[tuple[str, ...]]:
    return [step.caption for step in sweep_steps(card, SweepRange(**asked))]


def test_a_sweep_shows_every_class_in_order() -> None:
    assert vectors(CLASSES) == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    assert captions(CLASSES) == [("sparse",), ("medium",), ("dense",)]
    unnamed = replace(CLASSES, classes=())
    assert captions(unnamed) == [("class 0",), ("class 1",), ("class 2",)]


def test_steps_mix_neighbouring_classes() -> None:
    assert vectors(CLASSES, steps=5) == [(1, 0, 0), (0.5, 0.5, 0), (0, 1, 0), (0, 0.5, 0.5), (0, 0, 1)]
    assert captions(CLASSES, steps=5)[3] == ("50% medium", "50% dense")
    assert vectors(CLASSES, steps=2) == [(1, 0, 0), (0, 0, 1)]


@pytest.mark.parametrize("steps", [4, 7, 11, 50, 1000])
def test_steps_are_mixtures_that_sum_to_one_and_only_grow(steps: int) -> None:
    found = np.array(vectors(CLASSES, steps=steps))
    assert found.shape == (steps, 3)
    assert found.sum(axis=1) == pytest.approx(1)
    assert (np.diff(found @ [0, 1, 2]) > 0).all()
    assert found[-1].tolist() == [0, 0, 1]


def test_densities_are_swept_from_one_to_another() -> None:
    assert vectors(VALUE, first=0.5, last=4, steps=3) == [(0.5,), (2.25,), (4.0,)]
    assert captions(VALUE, first=0.5, last=4, steps=3)[1] == ("2.25", "persons/m²")
    assert len(vectors(VALUE, first=0.0, last=4)) == 7
    assert captions(replace(VALUE, unit=None), first=0.0, last=4)[0] == ("0",)


@pytest.mark.parametrize(
    ("card", "asked", "problem"),
    [
        (made_up_model(None).card, {}, "the model has no labels, so there is nothing to sweep"),
        (VALUE, {}, "the model's label is the density in persons/m²; say from where to where, as in --from 0.5 --to 4"),
        (CLASSES, {"first": 1, "last": 2}, "the model's labels are classes (sparse, medium, dense); leave out the"),
        (replace(CLASSES, label_dim=1, classes=("any",)), {}, "the model has one class, any, so there is nothing to"),
        (replace(VALUE, label_dim=2), {"first": 1, "last": 2}, "the model's label is 2 numbers; a sweep needs a label"),
        (VALUE, {"first": 1}, "only one end of the densities is given; give both"),
        (VALUE, {"first": 1, "last": 1}, "densities from 1 to 1; they must be two different numbers"),
        (VALUE, {"first": 1, "last": float("nan")}, "densities from 1 to nan; they must be two different numbers"),
        (CLASSES, {"steps": 1}, "steps is 1; it must be from 2 to 1000"),
        (CLASSES, {"steps": 1001}, "steps is 1001; it must be from 2 to 1000"),
    ],
)
def test_what_cannot_be_swept_is_refused(card: ModelCard, asked: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sweep_steps(card, SweepRange(**asked))
    assert str(caught.value).startswith(problem)


def inked(image: Image.Image) -> np.ndarray:
    return (np.asarray(image) != PAPER).any(axis=2)


@pytest.mark.parametrize("width", [128, 200, 512])
@pytest.mark.parametrize("caption", [("dense",), ("50% sparse", "50% medium"), ("1.25", "persons/m²")])
def test_a_caption_fits_into_its_band_in_the_middle(width: int, caption: tuple[str, ...]) -> None:
    band = CaptionBand.fitting([caption], width).draw(caption)
    ink = inked(band)
    assert ink.any()
    columns, rows = np.flatnonzero(ink.any(axis=0)), np.flatnonzero(ink.any(axis=1))
    assert columns[0] > 2
    assert columns[-1] < width - 3
    assert abs(columns[0] + columns[-1] - width) <= 6
    assert rows[0] > 1
    assert rows[-1] < band.height - 2


def test_long_captions_get_smaller_text_and_all_of_one_size() -> None:
    short, long = ("dense",), ("an extraordinarily crowded place",)
    alone, both = CaptionBand.fitting([short], 256), CaptionBand.fitting([short, long], 256)
    assert both.size_px < alone.size_px
    assert both.width_px == 256
    assert inked(both.draw(long))[:, [0, 1, -2, -1]].sum() == 0


def test_characters_that_the_font_lacks_are_replaced_and_a_square_is_a_raised_digit() -> None:
    assert drawable("dicht gedrängt, persons/m²") == "dicht gedrangt, persons/m²"
    assert drawable("密度 a\nb") == "?? a?b"
    plain, raised = (CaptionBand(128, 20, 1).draw((text,)) for text in ("m2", "m²"))
    tops, bottoms = [], []
    for band in (plain, raised):
        ink = inked(band)
        digit = ink[:, np.flatnonzero(ink.any(axis=0))[-4:]]
        rows = np.flatnonzero(digit.any(axis=1))
        tops.append(rows[0])
        bottoms.append(rows[-1])
    assert tops[1] <= tops[0] + 1
    assert bottoms[1] < bottoms[0] - 3


def test_images_stand_unchanged_above_their_captions_and_small_ones_enlarged() -> None:
    images = BlobGenerator(made_up_model("class", SIZE)).generate([3, 3], np.eye(3, dtype=np.float32)[:2])
    first, second = add_captions(list(images), [("one",), ("two", "lines")])
    assert first.size == second.size
    assert np.array_equal(np.asarray(second)[:96], images[1])
    (small,) = add_captions([images[0][:10, :50]], [("one",)])
    assert np.array_equal(np.asarray(small)[:30:3, ::3], images[0][:10, :50])
    assert np.array_equal(np.asarray(small)[2:30:3, 2::3], images[0][:10, :50])
    sheet = image_strip([first, second])
    gap = 5
    assert sheet.shape == (first.height + gap, 2 * 128 + 3 * gap, 3)
    assert np.array_equal(sheet[gap:, gap : gap + 128], np.asarray(first))
    assert np.array_equal(sheet[gap:, 128 + 2 * gap : -gap], np.asarray(second))


def settings(outdir: Path, **changes: Any) -> SweepConfig:
    return replace(SweepConfig(outdir=outdir, seeds=(3,), model_name="m.safetensors"), **changes)


def frames(path: Path) -> list[np.ndarray]:
    with Image.open(path) as image:
        shown = []
        for index in range(image.n_frames):  # type: ignore[attr-defined]
            image.seek(index)
            shown.append(np.asarray(image.convert("RGB")).astype(float))
        assert image.info["loop"] == 0
    return shown


@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_a_sweep_is_a_strip_and_an_animation_there_and_back(tmp_path: Path, kind: Any) -> None:
    generator = BlobGenerator(made_up_model("class", SIZE))
    asked = settings(tmp_path, seeds=(3, 12345), through=SweepRange(steps=4), animation=kind)
    made = write_sweeps(generator, replace(asked, rendering=GenerationOptions(truncation_psi=0.5, batch_size=3)))
    expected = [f"sweep-seed{seed}.{suffix}" for seed in ("0003", "12345") for suffix in ("png", kind)]
    assert [path.name for path in made] == expected
    assert sorted(made) == sorted(tmp_path.iterdir())
    labels = np.array(vectors(CLASSES, steps=4), np.float32)
    images = generator.generate([3] * 4, labels, truncation_psi=0.5)
    with Image.open(made[0]) as strip:
        sheet = np.asarray(strip)
    for index, image in enumerate(images):
        left = 5 + 133 * index
        assert np.array_equal(sheet[5:101, left : left + 128], image)
    shown = frames(made[1])
    assert len(shown) == 6
    order = [np.argmin([np.abs(frame[:96] - image).mean() for image in images]) for frame in shown]
    assert order == [0, 1, 2, 3, 2, 1]


def test_sweeps_say_how_they_were_made(tmp_path: Path) -> None:
    generator = BlobGenerator(made_up_model("value", SIZE))
    through = SweepRange(first=1, last=2, steps=2)
    strip_path, webp = write_sweeps(generator, settings(tmp_path, through=through))
    _, gif = write_sweeps(generator, settings(tmp_path / "b", through=through, animation="gif"))
    record = read_png_metadata(strip_path)
    assert {"seed": 3, "labels": [[1], [2]], "captions": ["1 persons/m²", "2 persons/m²"]}.items() <= record.items()
    assert {"model": "m.safetensors", "backend": "blobs", "truncation_psi": 1.0}.items() <= record.items()
    with Image.open(webp) as image:
        assert json.loads(image.getexif()[ExifTags.Base.ImageDescription]) == record
    with Image.open(gif) as image:
        assert json.loads(image.info["comment"]) == record


@pytest.mark.parametrize("name", ["sweep-seed0003.png", "sweep-seed0003.webp"])
def test_either_file_that_exists_is_refused(tmp_path: Path, name: str) -> None:
    generator = BlobGenerator(made_up_model("class", SIZE))
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(DatasetError, match=f"{name}: it exists already"):
        write_sweeps(generator, settings(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"precious"
    write_sweeps(generator, settings(tmp_path, overwrite=True))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_strip_that_is_too_large_is_refused(tmp_path: Path) -> None:
    large = replace(CLASSES, resolution=(1024, 1024))
    settings(tmp_path, through=SweepRange(steps=100)).check_model(large)
    with pytest.raises(ConfigError, match="200 images of 1024x1024 px are too many for a strip; use fewer steps"):
        settings(tmp_path, through=SweepRange(steps=200)).check_model(large)
    with pytest.raises(ConfigError, match="1000 images of 128x1536 px are too many"):
        settings(tmp_path, through=SweepRange(steps=1000)).check_model(replace(CLASSES, resolution=(96, 8)))


def test_a_pillow_without_webp_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda name: False)
    check_animation("gif")
    with pytest.raises(ConfigError, match="this Pillow was built without WebP; choose --format gif"):
        check_animation("webp")
