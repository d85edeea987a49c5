"""Files of videos: MP4 through ffmpeg, animated WebP and GIF through Pillow."""

from __future__ import annotations

import io
import itertools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from PIL import Image

from crowdgan_core.errors import BuildError
from crowdgan_core.io.atomic import wrap_os_errors
from crowdgan_core.utils.arrays import ImageArray

SUFFIXES = (".mp4", ".webp", ".gif")
"""Forms of a video, by the end of its name."""

MAX_SIDES_PX = {".mp4": 16384, ".webp": 16383, ".gif": 65535}
"""Longest sides that the forms can hold (H.264 encoders, the WebP and the GIF specification)."""

FFMPEG = "ffmpeg"
CONSTANT_RATE_FACTOR = 18
"""Quality of H.264: visually lossless (ffmpeg's documentation)."""

WEBP_QUALITY = 85


class FrameWriter(Protocol):
    """Writes frames as one file."""

    def write(self, frames: Iterator[ImageArray], path: Path, frames_per_s: float) -> None:
        """Writes all frames `[H, W, 3]`, of one size, to a new file."""
        ...


def writer_for(dest: Path) -> FrameWriter:
    """What writes a video of this name.

    Raises:
        BuildError: it needs ffmpeg, which is not installed.
    """
    kind = dest.suffix.lower()
    if kind != ".mp4":
        return PillowWriter(kind.removeprefix("."))
    program = shutil.which(FFMPEG)
    if program is None:
        raise BuildError(f"{dest}: {FFMPEG} is not installed, and MP4 needs it; install it, or write .webp or .gif")
    return FfmpegWriter(program)


def default_name() -> str:
    """Name of a video where none is given: MP4 where ffmpeg is installed."""
    return "video.mp4" if shutil.which(FFMPEG) else "video.webp"


@dataclass(frozen=True)
class PillowWriter:
    """Writes an animated WebP or GIF that runs for ever."""

    kind: str

    def write(self, frames: Iterator[ImageArray], path: Path, frames_per_s: float) -> None:
        """Writes all frames `[H, W, 3]`."""
        images = (Image.fromarray(frame) for frame in frames)
        duration_ms = round(1000 / frames_per_s)
        file = io.BytesIO()
        options: dict[str, Any] = {"quality": WEBP_QUALITY} if self.kind == "webp" else {}
        next(images).save(file, self.kind, save_all=True, append_images=images, duration=duration_ms, loop=0, **options)
        with wrap_os_errors(path):
            path.write_bytes(file.getvalue())


@dataclass(frozen=True)
class FfmpegWriter:
    """Writes H.264 in an MP4 through ffmpeg, as players and browsers want it; an odd last row or column is cut off."""

    program: str

    def write(self, frames: Iterator[ImageArray], path: Path, frames_per_s: float) -> None:
        """Writes all frames `[H, W, 3]`.

        Raises:
            BuildError: ffmpeg fails; its last line is told.
        """
        first = next(frames)
        with tempfile.TemporaryFile() as said, self._started(first.shape, path, frames_per_s, said) as ffmpeg:
            assert ffmpeg.stdin is not None, "it was asked for"
            try:
                for frame in itertools.chain([first], frames):
                    ffmpeg.stdin.write(frame.tobytes())
                ffmpeg.stdin.flush()
            except BrokenPipeError:
                pass  # it has ended; why, it says
            except BaseException:
                ffmpeg.kill()
                raise
            finally:
                with suppress(BrokenPipeError):
                    ffmpeg.stdin.close()
            if ffmpeg.wait():
                said.seek(0)
                lines = said.read().decode(errors="replace").strip().splitlines()
                raise BuildError(f"{self.program} failed: {lines[-1] if lines else 'it does not say why'}")

    def _started(
        self, shape: Sequence[int], path: Path, frames_per_s: float, said: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        height, width = shape[:2]
        take = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{frames_per_s}", "-i", "-"]
        even = ["-vf", f"crop={width // 2 * 2}:{height // 2 * 2}:0:0"]
        code = ["-c:v", "libx264", "-crf", f"{CONSTANT_RATE_FACTOR}", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
        command = [self.program, "-v", "error", "-y", *take, *even, *code, "-f", "mp4", str(path)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=said)  # noqa: S603
