"""Creates the images of docs/how-to/figures.md by running the commands of the page.

The commands run in gallery/, which git ignores, on synthetic crowds and synthetic runs. Their results are scaled down
and written to docs/assets/figures/. If ../shared/data contains real images, figures of these are also
created, but only in gallery/real/: they are not part of the project.
"""

from __future__ import annotations

import io
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

from crowdgan_core.datasets.zip_folder import ZipFormat  # noqa: E402  needs the change of sys.path
from crowdgan_core.utils.arrays import ImageArray  # noqa: E402
from tests.support.pages import code_blocks  # noqa: E402
from tests.support.run_folders import stats_lines, write_options, write_stats  # noqa: E402
from tests.support.video import write_video, write_zones  # noqa: E402

PAGE = ROOT / "docs" / "how-to" / "figures.md"
FIGURES_FOLDER = ROOT / "docs" / "assets" / "figures"
GALLERY_FOLDER = ROOT / "gallery"
REAL_DATA_FOLDER = ROOT.parent / "shared" / "data"
CROWDGAN_COMMAND = [sys.executable, "-c", "from crowdgan_core.cli import main; main()"]

MAX_IMAGE_BYTES = 150_000
"""Maximum size of an image of the page."""

WIDTHS_PX = (1400, 1200, 1000, 800)
"""Widths to try, the largest first, until an image is small enough."""

WEBP_QUALITY = 88

PAGE_IMAGES = {
    "loss.webp": "loss.png",
    "run.webp": "run.png",
    "density-ground.webp": "ground/*.png",
    "density-grid.webp": "grid/*.png",
    "density-kde.webp": "kde/*.png",
    "density-voronoi.webp": "voronoi/*.png",
    "series.webp": "series.png",
    "labels.webp": "labels.png",
    "spectra.webp": "spectra.png",
    "fidelity.webp": "fidelity.png",
}
"""Images of the page by file name, with the output file of the command as a glob pattern."""

REAL_FIGURES = (
    ("pets2009", "voronoi", "2"),
    ("mot17", "grid-metres", "2"),
    ("shanghaitech", "threshold", "4"),
    ("ucf_cc_50", "threshold", "2"),
)
"""Folder, estimator and number of figures of real images."""

TILE_SIDE_PX, GRID_SHAPE = 96, (4, 6)
"""Side of the images of a synthetic run, and rows and columns of its sample grids."""

SNAPSHOTS_KIMG = (0, 200, 400, 600, 800, 1000)

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

BROWSER_OPTIONS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--window-size=1280,1560", "--virtual-time-budget=4000"),
]


def main() -> None:
    shutil.rmtree(GALLERY_FOLDER, ignore_errors=True)
    GALLERY_FOLDER.mkdir()
    write_runs()
    write_video(GALLERY_FOLDER / "station")
    write_zones(GALLERY_FOLDER / "gates.geojson")
    for arguments in page_commands():
        crowdgan(*arguments)
    capture_page(GALLERY_FOLDER / "run.html", GALLERY_FOLDER / "run.png")
    for name, pattern in PAGE_IMAGES.items():
        for path in sorted(GALLERY_FOLDER.glob(pattern))[:1]:
            data = encode_small(path)
            (FIGURES_FOLDER / name).write_bytes(data)
            print(f"{name}: {len(data) / 1000:.0f} kB")
    plot_real_images()


def crowdgan(*arguments: str) -> None:
    """Runs a crowdgan command in gallery/."""
    print("crowdgan", shlex.join(arguments))
    subprocess.run([*CROWDGAN_COMMAND, *arguments], cwd=GALLERY_FOLDER, check=True)


def page_commands() -> list[list[str]]:
    """Arguments of the commands in the shell blocks of the page."""
    blocks = [block for block in code_blocks(PAGE) if block.language == "bash"]
    return [words[1:] for block in blocks for words in block.commands()]


def write_runs() -> None:
    """Writes two synthetic runs: the second continues the first, and only the first has sample grids."""
    num_tiles = GRID_SHAPE[0] * GRID_SHAPE[1]
    crowdgan("synth", "samples", "--images", str(num_tiles), "--resolution", "288x288", "--seed", "7")
    label_options = ("--density", "threshold", "--resolution", f"{TILE_SIDE_PX}x{TILE_SIDE_PX}")
    crowdgan("label", "--source", "samples", "--dest", "samples.zip", *label_options)
    reader = ZipFormat().open(GALLERY_FOLDER / "samples.zip")
    tiles = [reader.image(index) for index in range(len(reader))]
    reader.close()
    first = write_stats(GALLERY_FOLDER / "runs" / "00000-first", stats_lines(251))
    write_options(first, resolution=TILE_SIDE_PX)
    write_stats(GALLERY_FOLDER / "runs" / "00001-resumed", stats_lines(120, seed=1))
    sample_grid(tiles, 1.0).save(first / "reals.png")
    sample_grid(tiles, 0.0).save(first / "fakes_init.png")
    for kimg in SNAPSHOTS_KIMG:
        quality = (kimg / SNAPSHOTS_KIMG[-1]) ** 0.7 * 0.9
        sample_grid(tiles[::-1], quality).save(first / f"fakes{kimg:06d}.png")


def sample_grid(tiles: list[ImageArray], quality: float) -> Image.Image:
    """A grid of images that resemble a training sample: 1 unchanged images, 0 blurred noise."""
    rows, columns = GRID_SHAPE
    sheet = Image.new("RGB", (columns * TILE_SIDE_PX, rows * TILE_SIDE_PX))
    noise = np.random.default_rng(0).normal(0, 70 * (1 - quality), (len(tiles), 12, 12, 3))
    for index, tile in enumerate(tiles[: rows * columns]):
        image = Image.fromarray(tile).filter(ImageFilter.GaussianBlur(12 * (1 - quality)))
        noise_image = Image.fromarray((128 + noise[index]).clip(0, 255).astype(np.uint8)).resize(image.size)
        position = (index % columns * TILE_SIDE_PX, index // columns * TILE_SIDE_PX)
        sheet.paste(Image.blend(noise_image, image, quality), position)
    return sheet


def capture_page(page: Path, dest: Path) -> None:
    """Writes a screenshot of a page, or prints a message if no browser is installed."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"skipped: screenshot of {page.name}; install one of {', '.join(BROWSERS)}")
        return
    with tempfile.TemporaryDirectory() as profile:
        options = [*BROWSER_OPTIONS, f"--user-data-dir={profile}", f"--screenshot={dest}", page.as_uri()]
        subprocess.run([browser, *options], check=True, capture_output=True, timeout=120)


def encode_small(path: Path) -> bytes:
    """An image as WebP with at most `MAX_IMAGE_BYTES`."""
    data = b""
    with Image.open(path) as image:
        for width in WIDTHS_PX:
            scaled = image.convert("RGB")
            scaled.thumbnail((width, 10 * width), Image.Resampling.LANCZOS)
            file = io.BytesIO()
            scaled.save(file, "WEBP", quality=WEBP_QUALITY, method=6)
            data = file.getvalue()
            if len(data) <= MAX_IMAGE_BYTES:
                return data
    raise SystemExit(f"{path}: {len(data)} bytes at {WIDTHS_PX[-1]} px; the maximum is {MAX_IMAGE_BYTES}")


def plot_real_images() -> None:
    """Plots densities of real images, if the folders exist."""
    for folder, density, sample in REAL_FIGURES:
        if (REAL_DATA_FOLDER / folder).is_dir():
            out = GALLERY_FOLDER / "real" / folder
            source = ("--source", str(REAL_DATA_FOLDER / folder), "--density", density, "--sample", sample)
            crowdgan("plot", "density", *source, "--out", str(out))


if __name__ == "__main__":
    main()
