"""Writers of video files: MP4 with ffmpeg, animated WebP and GIF with Pillow."""

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
from crowdgan_stylegan3.inference.video_config import FFMPEG

CONSTANT_RATE_FACTOR = 18
"""Quality of H.264: visually lossless (ffmpeg's documentation)."""

WEBP_QUALITY = 85
"""Quality of lossy WebP, 0 to 100."""


class FrameWriter(Protocol):
    """Writes frames to one file."""

    def write(self, frames: Iterator[ImageArray], path: Path, fps: float) -> None:
        """Writes frames `[H, W, 3]` of equal size to a new file.

        Args:
            frames: at least one frame.
            path: the file, which does not exist; its suffix is ignored.
            fps: frames per second.
        """
        ...


def writer_for(dest: Path) -> FrameWriter:
    """The writer for the suffix of a video.

    Raises:
        BuildError: the format needs ffmpeg, which is not installed.
    """
    suffix = dest.suffix.lower()
    if suffix != ".mp4":
        return PillowWriter(suffix.removeprefix("."))
    program = shutil.which(FFMPEG)
    if program is None:
        raise BuildError(f"{dest}: MP4 needs {FFMPEG}, which is not installed; install it, or choose .webp or .gif")
    return FfmpegWriter(program)


@dataclass(frozen=True)
class PillowWriter:
    """Writes an animated WebP or GIF that loops endlessly."""

    format: str
    """`webp` or `gif`."""

    def write(self, frames: Iterator[ImageArray], path: Path, fps: float) -> None:
        """Writes frames `[H, W, 3]`; see `FrameWriter`."""
        images = (Image.fromarray(frame) for frame in frames)
        duration_ms = round(1000 / fps)
        file = io.BytesIO()
        options: dict[str, Any] = {"quality": WEBP_QUALITY} if self.format == "webp" else {}
        first = next(images)
        first.save(file, self.format, save_all=True, append_images=images, duration=duration_ms, loop=0, **options)
        with wrap_os_errors(path):
            path.write_bytes(file.getvalue())


@dataclass(frozen=True)
class FfmpegWriter:
    """Writes H.264 in MP4 with ffmpeg, as players and browsers support it; crops an odd last row or column."""

    program: str
    """Path of ffmpeg."""

    def write(self, frames: Iterator[ImageArray], path: Path, fps: float) -> None:
        """Writes frames `[H, W, 3]`; see `FrameWriter`.

        Raises:
            BuildError: ffmpeg fails; the message has the last line of its output.
        """
        first = next(frames)
        with tempfile.TemporaryFile() as output, self._start(first.shape, path, fps, output) as ffmpeg:
            assert ffmpeg.stdin is not None, "it is a pipe"
            try:
                for frame in itertools.chain([first], frames):
                    ffmpeg.stdin.write(frame.tobytes())
                ffmpeg.stdin.flush()
            except BrokenPipeError:
                pass  # ffmpeg has stopped; its output has the reason
            except BaseException:
                ffmpeg.kill()
                raise
            finally:
                with suppress(BrokenPipeError):
                    ffmpeg.stdin.close()
            if ffmpeg.wait():
                output.seek(0)
                lines = output.read().decode(errors="replace").strip().splitlines()
                raise BuildError(f"{self.program} failed: {lines[-1] if lines else 'no output'}")

    def _start(self, shape: Sequence[int], path: Path, fps: float, output: IO[bytes]) -> subprocess.Popen[bytes]:
        height, width = shape[:2]
        source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps}", "-i", "-"]
        crop = ["-vf", f"crop={width // 2 * 2}:{height // 2 * 2}:0:0"]
        codec = ["-c:v", "libx264", "-crf", f"{CONSTANT_RATE_FACTOR}", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
        command = [self.program, "-v", "error", "-y", *source, *crop, *codec, "-f", "mp4", str(path)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output)  # noqa: S603
