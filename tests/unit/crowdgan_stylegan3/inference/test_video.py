"""Videos: what they pass through, that they close, and their files."""

from __future__ import annotations

import math
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from crowdgan_core.errors import BuildError, ConfigError, DatasetError
from crowdgan_core.models.generation.samples import tile_images
from crowdgan_stylegan3.config import generator_preset
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
from crowdgan_stylegan3.inference.random_init import random_card, random_generator
from crowdgan_stylegan3.inference.video import VideoSettings, loop, make_video
from crowdgan_stylegan3.inference.video_writers import FfmpegWriter, default_name, writer_for

SPARSE, DENSE = (1.0, 0.0), (0.0, 1.0)


@pytest.fixture(scope="module")
def generator() -> StyleGanImageGenerator:
    settings = generator_preset("stylegan3-t", resolution=16, label_dim=2, channel_base=256, channel_max=8)
    settings = replace(settings, z_dim=6, w_dim=10)
    return StyleGanImageGenerator(random_generator(settings, 1), random_card(settings, ("sparse", "dense"), 1), "cpu")


def frames_of(path: Path) -> list[np.ndarray]:
    with Image.open(path) as image:
        found = []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            found.append(np.asarray(image.convert("RGB")))
        return found


def test_the_path_passes_its_seeds_and_closes_smoothly(generator: StyleGanImageGenerator) -> None:
    settings = VideoSettings(dest=Path("v.webp"), seeds=(1, 2, 3), labels=(SPARSE,), frames_per_step=8)
    path = loop(generator, settings.keyframes()[0], settings)
    exact = generator.latents((1, 2, 3), np.array([SPARSE] * 3, np.float32))
    assert len(path) == 24
    torch.testing.assert_close(path[::8], exact)
    steps = torch.cat([path, path[:1]]).diff(dim=0)
    turns = torch.cat([steps, steps[:1]]).diff(dim=0).norm(dim=(1, 2))
    assert turns[-1] <= turns[:-1].max(), "it is as smooth where it closes as elsewhere"


def test_a_changing_label_goes_there_and_back_at_each_seed() -> None:
    labels = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    settings = VideoSettings(dest=Path("v.gif"), seeds=(4, 5), labels=labels, grid=(2, 1))
    low, middle, high = labels
    assert settings.keyframes() == [[(seed, label) for label in (low, middle, high, middle)] for seed in (4, 5)]


def test_a_grid_is_filled_row_by_row(generator: StyleGanImageGenerator, tmp_path: Path) -> None:
    settings = VideoSettings(
        dest=tmp_path / "v.gif",
        seeds=(1, 2, 3, 4, 5, 6),
        labels=(SPARSE, DENSE),
        grid=(3, 2),
        frames_per_step=1,
    )
    make_video(generator, settings)
    frames = frames_of(settings.dest)
    assert [frame.shape for frame in frames] == [(32, 48, 3)] * 2
    exact = generator.generate(range(1, 7), np.array([SPARSE] * 6, np.float32))
    assert np.abs(frames[0].astype(int) - tile_images(exact, (3, 2))).mean() < 8, "a GIF has 256 colours"
    assert np.array_equal(tile_images(exact, (3, 2))[16:, 16:32], exact[4])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"dest": Path("v.avi")}, "v.avi: the name of a video must end in .mp4, .webp, .gif"),
        ({"seeds": (1,)}, "one seed per cell and one label make no motion; take more seeds or change the label"),
        ({"seeds": (1, 2, 3), "grid": (2, 1)}, "3 seeds cannot be shared out to 2 cells"),
        ({"frames_per_step": 0}, "0 frames per step at 30 per s make no video"),
        ({"frames_per_s": math.inf}, "60 frames per step at inf per s make no video"),
        ({"truncation_psi": math.nan}, "truncation psi is nan; it must be a finite number"),
        ({"frames_per_s": 0.0}, "60 frames per step at 0 per s make no video"),
    ],
)
def test_what_makes_no_video_is_refused(changes: dict[str, object], problem: str) -> None:
    settings = {"dest": Path("v.webp"), "seeds": (1, 2), "labels": (SPARSE,), **changes}
    with pytest.raises(ConfigError) as caught:
        VideoSettings(**settings)  # type: ignore[arg-type]
    assert str(caught.value).startswith(problem)


def test_an_existing_video_is_kept(generator: StyleGanImageGenerator, tmp_path: Path) -> None:
    dest = tmp_path / "v.webp"
    dest.write_text("mine")
    settings = VideoSettings(dest=dest, seeds=(1, 2), labels=(SPARSE,), frames_per_step=1)
    with pytest.raises(DatasetError, match="it exists already"):
        make_video(generator, settings)
    assert dest.read_text() == "mine"
    make_video(generator, replace(settings, overwrite=True))
    assert len(frames_of(dest)) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["v.webp"]


def test_without_ffmpeg_the_default_is_webp_and_mp4_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert default_name() == "video.webp"
    with pytest.raises(BuildError, match="ffmpeg is not installed, and MP4 needs it; install it, or write .webp or"):
        writer_for(Path("v.mp4"))


def test_a_failing_ffmpeg_tells_its_last_line_and_leaves_nothing(
    generator: StyleGanImageGenerator, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho a warning >&2\necho unknown encoder >&2\nexit 1\n")
    program.chmod(0o755)
    frames = iter([np.zeros((16, 16, 3), np.uint8)] * 3)
    with pytest.raises(BuildError, match=r"ffmpeg failed: unknown encoder$"):
        FfmpegWriter(str(program)).write(frames, tmp_path / "v.mp4", 30)
    assert not (tmp_path / "v.mp4").exists()


def test_frames_that_the_form_cannot_hold_are_refused_first(generator: StyleGanImageGenerator) -> None:
    settings = VideoSettings(dest=Path("v.webp"), seeds=tuple(range(2050)), labels=(SPARSE,), grid=(1025, 1))
    with pytest.raises(ConfigError, match="frames of 16400 px are too large for it; take a smaller grid"):
        make_video(generator, settings)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed: no MP4 can be made")
def test_ffmpeg_makes_an_mp4_that_players_read(generator: StyleGanImageGenerator, tmp_path: Path) -> None:
    dest = tmp_path / "v.mp4"
    make_video(generator, VideoSettings(dest=dest, seeds=(1, 2), labels=(SPARSE,), frames_per_step=3, grid=(1, 1)))
    query = ["-v", "error", "-count_frames", "-show_entries", "stream=codec_name,width,height,nb_read_frames,pix_fmt"]
    shown = subprocess.run(["ffprobe", *query, "-of", "csv=p=0", dest], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "h264,16,16,yuv420p,6"
