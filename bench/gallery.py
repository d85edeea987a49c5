"""Makes the images of crowdgan-plot's README by the very commands that stand beside them there.

They run in gallery/, which git ignores, on made-up crowds and made-up runs. What the README shows of them is made small
and written to packages/crowdgan-plot/images/. Where ../shared/data holds real photographs, a few figures of those
are drawn too, into gallery/real/ alone: they are never part of the project.
"""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from crowdgan_core.datasets.zip_folder import ZipFormat  # noqa: E402  the path comes first
from tests.support.run_folders import stats_lines, write_options, write_stats  # noqa: E402

PACKAGE = ROOT / "packages" / "crowdgan-plot"
WORKPLACE = ROOT / "gallery"
REAL_DATA = ROOT.parent / "shared" / "data"
CROWDGAN = [sys.executable, "-c", "from crowdgan_core.cli import main; main()"]

MAX_BYTES = 150_000
"""Size of an image of the README."""

WIDTHS_PX = (1400, 1200, 1000, 800)
"""Widths that are tried, the largest first, until an image is small enough."""

QUALITY = 88

SHOWN = {
    "loss.webp": "loss.png",
    "run.webp": "run.png",
    "density-grid.webp": "grid/*.png",
    "density-kde.webp": "kde/*.png",
    "density-voronoi.webp": "voronoi/*.png",
    "labels.webp": "labels.png",
    "spectra.webp": "spectra.png",
}
"""Name of an image in the README to what the commands make."""

REAL = (
    ("pets2009", "voronoi", "2"),
    ("mot17", "grid-metres", "2"),
    ("shanghaitech", "threshold", "4"),
    ("ucf_cc_50", "threshold", "2"),
)
"""Folder, estimator and number of images of what is drawn of real photographs."""

TILE_PX, TILES = 96, (4, 6)
"""Side of a made-up run's images, and rows and columns of its grids."""

SNAPSHOTS = (0, 200, 400, 600, 800, 1000)

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--window-size=1280,1560", "--virtual-time-budget=4000"),
]


def main() -> None:
    shutil.rmtree(WORKPLACE, ignore_errors=True)
    WORKPLACE.mkdir()
    make_runs()
    for arguments in readme_commands():
        crowdgan(*arguments)
    photograph_page(WORKPLACE / "run.html", WORKPLACE / "run.png")
    for name, pattern in SHOWN.items():
        for path in sorted(WORKPLACE.glob(pattern))[:1]:
            data = small(path)
            (PACKAGE / "images").mkdir(exist_ok=True)
            (PACKAGE / "images" / name).write_bytes(data)
            print(f"{name}: {len(data) / 1000:.0f} kB")
    draw_real()


def crowdgan(*arguments: str) -> None:
    print("crowdgan", shlex.join(arguments))
    subprocess.run([*CROWDGAN, *arguments], cwd=WORKPLACE, check=True)


def readme_commands() -> list[list[str]]:
    """Arguments of the commands in the fenced blocks of the README."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", (PACKAGE / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("crowdgan ")]


def make_runs() -> None:
    """Two made-up runs that continue one another; the samples of the first grow out of noise."""
    crowdgan("synth", "samples", "--images", str(TILES[0] * TILES[1]), "--resolution", "288x288", "--seed", "7")
    label = ("--density", "threshold", "--resolution", f"{TILE_PX}x{TILE_PX}")
    crowdgan("label", "--source", "samples", "--dest", "samples.zip", *label)
    reader = ZipFormat().open(WORKPLACE / "samples.zip")
    tiles = [reader.image(index) for index in range(len(reader))]
    reader.close()
    first = write_stats(WORKPLACE / "runs" / "00000-first", stats_lines(251))
    write_options(first, resolution=TILE_PX)
    write_stats(WORKPLACE / "runs" / "00001-resumed", stats_lines(120, seed=1))
    grid(tiles, 1.0).save(first / "reals.png")
    grid(tiles, 0.0).save(first / "fakes_init.png")
    for kimg in SNAPSHOTS:
        grid(tiles[::-1], (kimg / SNAPSHOTS[-1]) ** 0.7 * 0.9).save(first / f"fakes{kimg:06d}.png")


def grid(tiles: list[np.ndarray], share: float) -> Image.Image:
    """Images side by side, blurred and noisy but for a share of what they show."""
    rows, columns = TILES
    sheet = Image.new("RGB", (columns * TILE_PX, rows * TILE_PX))
    noise = np.random.default_rng(0).normal(0, 70 * (1 - share), (len(tiles), 12, 12, 3))
    for index, tile in enumerate(tiles[: rows * columns]):
        image = Image.fromarray(tile).filter(ImageFilter.GaussianBlur(12 * (1 - share)))
        spots = Image.fromarray((128 + noise[index]).clip(0, 255).astype(np.uint8)).resize(image.size)
        sheet.paste(Image.blend(spots, image, share), (index % columns * TILE_PX, index // columns * TILE_PX))
    return sheet


def photograph_page(page: Path, dest: Path) -> None:
    """An image of a page as a browser shows it; without a browser none."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"no image of {page.name}: none of {', '.join(BROWSERS)} is installed")
        return
    with tempfile.TemporaryDirectory() as profile:
        options = [*QUIET, f"--user-data-dir={profile}", f"--screenshot={dest}", page.as_uri()]
        subprocess.run([browser, *options], check=True, capture_output=True, timeout=120)


def small(path: Path) -> bytes:
    """An image as a WebP that is small enough for a page."""
    data = b""
    with Image.open(path) as image:
        for width in WIDTHS_PX:
            shown = image.convert("RGB")
            shown.thumbnail((width, 10 * width), Image.Resampling.LANCZOS)
            file = io.BytesIO()
            shown.save(file, "WEBP", quality=QUALITY, method=6)
            data = file.getvalue()
            if len(data) <= MAX_BYTES:
                return data
    raise SystemExit(f"{path}: {len(data)} bytes at {WIDTHS_PX[-1]} px; the README's images have {MAX_BYTES} at most")


def draw_real() -> None:
    """Figures of real photographs, where there are some."""
    for folder, density, sample in REAL:
        if (REAL_DATA / folder).is_dir():
            out = WORKPLACE / "real" / folder
            source = ("--source", str(REAL_DATA / folder), "--density", density, "--sample", sample)
            crowdgan("plot", "density", *source, "--out", str(out))


if __name__ == "__main__":
    main()
