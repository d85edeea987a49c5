"""Speed and memory of `crowdgan label`, compared with plain Pillow in the same run.

Prints for 400 JPEGs of 1 to 2 megapixels: images per second of plain Pillow (decode, crop, Lanczos, PNG in a ZIP) and
of the pipeline with one worker, with all cores, and with --fast-decode; the pixel difference of --fast-decode; and
resident memory for 500 and 5,000 images. Runs alternate, and ratios are ratios of medians.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.pipeline.build import build_dataset
from crowdgan_core.pipeline.build_config import BuildConfig
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset
from crowdgan_core.utils.cpus import available_cpus

OUTPUT_SIDE_PX = 256
IMAGE_SIZES = [(900, 1200), (1000, 1500), (1080, 1920), (1400, 1050)]
"""`(height, width)` of the source images: 1.1 to 2.1 megapixels."""

MAX_PEOPLE = 60
"""Maximum number of people per image; most images have fewer than 40, as in CrowdHuman."""

NUM_IMAGES = 400
NUM_ROUNDS = 3

SourceImages = dict[str, tuple[bytes, list[dict[str, object]]]]
"""JPEG file and boxes of each image, by name."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=NUM_IMAGES, dest="images", help="number of images")
    parser.add_argument(
        "--memory", type=int, nargs=2, default=(500, 5000), metavar=("FEW", "MANY"), help="numbers of images"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = render_images(folder)
        compare_speed(folder, write_repeated(images, options.images, folder / "speed"), options.images)
        for count in options.memory:
            source = write_repeated(images, count, folder / f"memory{count}")
            peak = peak_memory_mib(lambda source=source: label(source, folder / "m.zip", workers=available_cpus()))
            print(f"resident memory, {count:5} images, all processes: {peak:.0f} MiB")


def render_images(folder: Path) -> SourceImages:
    """Renders 48 images of several sizes."""
    images = {}
    for size in IMAGE_SIZES:
        dest = folder / f"{size[0]}"
        config = SyntheticConfig(images=12, size=size, seed=size[0], max_people=MAX_PEOPLE)
        write_synthetic_dataset(config, dest, workers=available_cpus())
        with zipfile.ZipFile(dest / "CrowdHuman_train01.zip") as archive:
            for line in (dest / "annotation_train.odgt").read_text().splitlines():
                record = json.loads(line)
                images[record["ID"]] = (archive.read(f"Images/{record['ID']}.jpg"), record["gtboxes"])
    return images


def write_repeated(images: SourceImages, count: int, folder: Path) -> Path:
    """Writes a source of `count` images in CrowdHuman's layout by repeating the images; returns its folder."""
    folder.mkdir()
    items = list(images.items())
    with (
        zipfile.ZipFile(folder / "CrowdHuman_train01.zip", "w") as archive,
        (folder / "annotation_train.odgt").open("w") as odgt,
    ):
        for index in range(count):
            name, (data, boxes) = items[index % len(items)]
            archive.writestr(f"Images/{index:06d},{name}.jpg", data)
            odgt.write(json.dumps({"ID": f"{index:06d},{name}", "gtboxes": boxes}) + "\n")
    return folder


def compare_speed(folder: Path, source: Path, count: int) -> None:
    """Prints the speed of plain Pillow and of the pipeline on a source of `count` images."""
    cores = available_cpus()
    runs: dict[str, Callable[[], object]] = {
        "plain Pillow": lambda: plain_pillow(source / "CrowdHuman_train01.zip", folder / "plain.zip"),
        "1 worker": lambda: label(source, folder / "one.zip", workers=1),
        f"{cores} workers": lambda: label(source, folder / "all.zip", workers=cores),
        "1 worker, --fast-decode": lambda: label(source, folder / "fast.zip", workers=1, fast_decode=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(NUM_ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    rates = {name: count / statistics.median(values) for name, values in seconds.items()}
    print(
        f"{count} JPEGs of 1.1 to 2.1 megapixels to {OUTPUT_SIDE_PX}x{OUTPUT_SIDE_PX}, "
        f"medians of {NUM_ROUNDS} alternating runs:"
    )
    for name, rate in rates.items():
        print(f"  {name:24} {rate:7.1f} images/s")
    plain, one_worker, all_workers, fast = rates.values()
    print(f"  one worker / plain Pillow: {one_worker / plain:.2f}")
    print(f"  scaling to {cores} cores: {all_workers / one_worker / cores:.2f} of linear")
    print(f"  speed-up by --fast-decode: {fast / one_worker:.2f}")
    exact, reduced = (ZipFormat().open(folder / name) for name in ("one.zip", "fast.zip"))
    difference = [np.abs(exact.image(i).astype(int) - reduced.image(i)) for i in range(min(48, count))]
    mean, maximum = np.mean([item.mean() for item in difference]), max(item.max() for item in difference)
    print(f"  pixel difference of --fast-decode: mean {mean:.2f}, maximum {maximum} of 255")


def plain_pillow(source: Path, dest: Path) -> None:
    """Decodes, crops, resizes and encodes each image, as a short script would."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(dest, "w") as out:
        for name in archive.namelist():
            image = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            crop = image.crop((left, top, left + side, top + side)).resize(
                (OUTPUT_SIDE_PX, OUTPUT_SIDE_PX), Image.Resampling.LANCZOS
            )
            data = io.BytesIO()
            crop.save(data, "PNG", compress_level=0)
            out.writestr(name, data.getvalue())


def label(source: Path, dest: Path, *, workers: int, fast_decode: bool = False) -> None:
    """Builds a labelled dataset, as `crowdgan label` does."""
    config = BuildConfig(
        dest=dest,
        format=ZipFormat(),
        estimator=configure_estimator(installed_plugins().density_estimators["grid"], {}),
        transform=ImageTransform(name="center-crop", size=(OUTPUT_SIDE_PX, OUTPUT_SIDE_PX)),
        workers=workers,
        overwrite=True,
        fast_decode=fast_decode,
    )
    build_dataset(CrowdHumanSource().open([source], None), "bench", config)


def peak_memory_mib(run: Callable[[], object]) -> float:
    """Maximum resident memory of this process and its workers during `run` in MiB, sampled every 50 ms."""
    peak, finished = 0, threading.Event()

    def sample() -> None:
        nonlocal peak
        main_process = psutil.Process()
        while not finished.wait(0.05):
            total = 0
            for process in (main_process, *main_process.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.Error:
                    continue  # the process has just ended
            peak = max(peak, total)

    sampler = threading.Thread(target=sample)
    sampler.start()
    run()
    finished.set()
    sampler.join()
    return peak / 2**20


if __name__ == "__main__":
    main()
