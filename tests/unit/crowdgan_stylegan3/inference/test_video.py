"""Videos: interpolation path, grid, and files."""

from __future__ import annotations

import math
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from crowdgan_core.errors import BuildError, ConfigError, DatasetError
from crowdgan_core.models.generation.conditioning import Conditioning
from crowdgan_core.models.generation.samples import tile_images
from crowdgan_stylegan3.cli import video
from crowdgan_stylegan3.config import generator_config
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
from crowdgan_stylegan3.inference.random_init import random_card, random_generator
from crowdgan_stylegan3.inference.video import latent_path, render_video
from crowdgan_stylegan3.inference.video_config import VideoConfig, default_dest
from crowdgan_stylegan3.inference.video_writers import FfmpegWriter, writer_for
from crowdgan_stylegan3.io.safetensors_files import save_network

SPARSE = (1.0, 0.0)


@pytest.fixture(scope="module")
def generator() -> StyleGanImageGenerator:
    config = generator_config("stylegan3-t", resolution=16, label_dim=2, channel_base=256, channel_max=8)
    config = replace(config, z_dim=6, w_dim=10)
    return StyleGanImageGenerator(random_generator(config, 1), random_card(config, ("sparse", "dense"), 1), "cpu")


def read_frames(path: Path) -> list[np.ndarray]:
    with Image.open(path) as image:
        frames = []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")))
        return frames


def test_the_path_passes_through_its_seeds_and_closes_smoothly(generator: StyleGanImageGenerator) -> None:
    config = VideoConfig(dest=Path("v.webp"), seeds=(1, 2, 3), conditioning=Conditioning(density="sparse"), frames=8)
    path = latent_path(generator, config.keyframes(generator.card)[0], config)
    exact = generator.latents((1, 2, 3), np.array([SPARSE] * 3, np.float32))
    assert len(path) == 24
    torch.testing.assert_close(path[::8], exact)
    steps = torch.cat([path, path[:1]]).diff(dim=0)
    curvatures = torch.cat([steps, steps[:1]]).diff(dim=0).norm(dim=(1, 2))
    assert curvatures[-1] <= curvatures[:-1].max(), "the path must be smooth where it closes"


def test_all_classes_are_passed_forwards_and_backwards_at_each_seed() -> None:
    card = random_card(generator_config("stylegan2", resolution=16, label_dim=3), (), 0)
    low, middle, high = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    config = VideoConfig(dest=Path("v.gif"), seeds=(4, 5), all_classes=True, grid=(2, 1))
    assert config.keyframes(card) == [[(seed, label) for label in (low, middle, high, middle)] for seed in (4, 5)]


def test_a_grid_is_filled_row_by_row(generator: StyleGanImageGenerator, tmp_path: Path) -> None:
    dest = tmp_path / "v.gif"
    render_video(generator, dest, range(1, 7), all_classes=True, grid=(3, 2), frames=1)
    frames = read_frames(dest)
    assert [frame.shape for frame in frames] == [(32, 48, 3)] * 2
    exact = generator.generate(range(1, 7), np.array([SPARSE] * 6, np.float32))
    assert np.abs(frames[0].astype(int) - tile_images(exact, (3, 2))).mean() < 8, "a GIF has 256 colours"
    assert np.array_equal(tile_images(exact, (3, 2))[16:, 16:32], exact[4])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"dest": Path("v.avi")}, "v.avi: the suffix of a video must be .mp4, .webp, .gif"),
        ({"seeds": ()}, "0 seeds for 1 videos in the grid; the number of seeds must be a multiple"),
        ({"seeds": (1, 2, 3), "grid": (2, 1)}, "3 seeds for 2 videos in the grid; the number of seeds must be a multi"),
        ({"frames": 0}, "frames per interpolation step are 0; they must be at least 1"),
        ({"fps": math.inf}, "frames per second are inf; they must be 0.1 to 1000"),
        ({"fps": 0.0}, "frames per second are 0; they must be 0.1 to 1000"),
        ({"truncation_psi": math.nan}, "truncation psi is nan; it must be a finite number"),
        (
            {"all_classes": True, "conditioning": Conditioning(label="1")},
            "--all-classes uses all labels; remove --density and --label",
        ),
    ],
)
def test_invalid_configs_are_errors(changes: dict[str, object], problem: str) -> None:
    values = {"dest": Path("v.webp"), "seeds": (1, 2), **changes}
    with pytest.raises(ConfigError) as caught:
        VideoConfig(**values)  # type: ignore[arg-type]
    assert str(caught.value).startswith(problem)


def test_one_seed_and_one_label_are_an_error(generator: StyleGanImageGenerator) -> None:
    with pytest.raises(ConfigError, match="give no motion; use more seeds or --all-classes"):
        render_video(generator, "v.webp", [1], density="sparse")


def test_all_classes_need_a_model_with_classes() -> None:
    card = random_card(generator_config("stylegan2", resolution=16), (), 0)
    with pytest.raises(ConfigError, match="--all-classes needs a model whose labels are classes"):
        VideoConfig(dest=Path("v.gif"), seeds=(1, 2), all_classes=True).keyframes(card)


def test_an_existing_video_is_only_overwritten_on_request(generator: StyleGanImageGenerator, tmp_path: Path) -> None:
    dest = tmp_path / "v.webp"
    dest.write_text("existing")
    with pytest.raises(DatasetError, match="already exists"):
        render_video(generator, dest, (1, 2), density="sparse", frames=1)
    assert dest.read_text() == "existing"
    render_video(generator, dest, (1, 2), density="sparse", frames=1, overwrite=True)
    assert len(read_frames(dest)) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["v.webp"]


def test_without_ffmpeg_the_default_is_webp_and_mp4_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert default_dest() == Path("video.webp")
    with pytest.raises(
        BuildError, match="MP4 needs ffmpeg, which is not installed; install it, or choose .webp or .gif"
    ):
        writer_for(Path("v.mp4"))


def test_a_failing_ffmpeg_is_an_error_with_its_last_line(generator: StyleGanImageGenerator, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho a warning >&2\necho unknown encoder >&2\nexit 1\n")
    program.chmod(0o755)
    frames = iter([np.zeros((16, 16, 3), np.uint8)] * 3)
    with pytest.raises(BuildError, match=r"ffmpeg failed: unknown encoder$"):
        FfmpegWriter(str(program)).write(frames, tmp_path / "v.mp4", 30)
    assert not (tmp_path / "v.mp4").exists()


def test_frames_that_exceed_the_format_are_refused_before_rendering(generator: StyleGanImageGenerator) -> None:
    with pytest.raises(ConfigError, match="frames of 16400 px are too large; use a smaller grid, at most 16383 px"):
        render_video(generator, "v.webp", range(2050), density="sparse", grid=(1025, 1))


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_ffmpeg_writes_an_mp4_that_ffprobe_reads(generator: StyleGanImageGenerator, tmp_path: Path) -> None:
    dest = tmp_path / "v.mp4"
    render_video(generator, dest, (1, 2), density="sparse", frames=3)
    query = ["-v", "error", "-count_frames", "-show_entries", "stream=codec_name,width,height,nb_read_frames,pix_fmt"]
    probe = subprocess.run(["ffprobe", *query, "-of", "csv=p=0", dest], capture_output=True, text=True, check=True)
    assert probe.stdout.strip() == "h264,16,16,yuv420p,6"


def test_generators_of_other_backends_are_refused() -> None:
    class OtherGenerator:
        card = replace(random_card(generator_config("stylegan2", resolution=16), (), 0), backend="other")

    with pytest.raises(ConfigError, match="a model of the backend other; videos need one of stylegan3"):
        render_video(OtherGenerator(), "v.webp", (1, 2))  # type: ignore[arg-type]


def test_the_command_accepts_official_option_names(generator: StyleGanImageGenerator, tmp_path: Path) -> None:
    model, dest = tmp_path / "model.safetensors", tmp_path / "v.webp"
    save_network(generator._generator, generator.card, model)
    options = {
        "--network": model,
        "--seeds": "1,2",
        "--class": "1",
        "--w-frames": 2,
        "--output": dest,
        "--device": "cpu",
    }
    arguments = [str(part) for option in options.items() for part in option]
    result = CliRunner().invoke(video.command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout == f"wrote {dest}\n"
    assert len(read_frames(dest)) == 4
