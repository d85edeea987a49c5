"""Labelling into shards: time and memory for different numbers of images, which memory must not depend on.

    python bench/bench_shards.py 10000 100000 1000000

Sources: `stream`, which creates annotated images as they are read, and `crowdhuman`, a ZIP file with an annotation
file. The images have 16x16 px, so that the work per image is small. Each case runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil

from crowdgan_core import get_estimator
from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.shards.format import ShardsFormat
from crowdgan_core.io.images import encode_png_uncompressed
from crowdgan_core.io.stored_images import EncodedImage
from crowdgan_core.pipeline.build import build_dataset
from crowdgan_core.pipeline.build_config import BuildConfig
from crowdgan_core.scenes.scene import PersonAnnotations
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem, SourceReader
from crowdgan_core.sources.crowdhuman import CrowdHumanSource

SAMPLE_INTERVAL_S = 0.1
"""Time between measurements of resident memory."""

IMAGE = encode_png_uncompressed(np.zeros((16, 16, 3), np.uint8))


class StreamReader:
    """A source of `count` images, which keeps none of them in memory."""

    has_annotations = True
    problems: Sequence[SourceProblem] = ()
    metadata = DatasetMetadata()

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[AnnotatedImage]:
        for index in range(self._count):
            people = PersonAnnotations(full_boxes=boxes(index))
            yield AnnotatedImage(source_name=f"image{index:08d}", image=EncodedImage(IMAGE, "stream"), people=people)


def boxes(index: int) -> np.ndarray:
    """Boxes `[num_people, 4]` of 1 to 20 people."""
    return np.array([[person % 8, person // 8, 4.0, 9.0] for person in range(1 + index % 20)])


def write_crowdhuman(folder: Path, count: int) -> None:
    """Writes images and annotations in CrowdHuman layout."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "CrowdHuman_train01.zip", "w") as archive:
        for index in range(count):
            archive.writestr(f"Images/{index:08d}.png", IMAGE)
    with (folder / "annotation_train.odgt").open("w") as file:
        for index in range(count):
            people = [{"tag": "person", "fbox": box.tolist(), "vbox": box.tolist()} for box in boxes(index)]
            file.write(json.dumps({"ID": f"{index:08d}", "gtboxes": people}) + "\n")


def label(kind: str, count: int, folder: Path) -> None:
    """Labels one source into shards with two worker processes."""
    reader: SourceReader = StreamReader(count) if kind == "stream" else CrowdHumanSource().open([folder / kind], None)
    config = BuildConfig(
        dest=folder / f"{kind}.shards", format=ShardsFormat(), estimator=get_estimator("threshold"), workers=2
    )
    build_dataset(reader, kind, config)


def measure(kind: str, count: int, folder: Path) -> tuple[float, float, float]:
    """Time in s, and maximum resident memory in MiB: of the main process, and of all processes."""
    process = multiprocessing.get_context("spawn").Process(target=label, args=(kind, count, folder))
    started = time.monotonic()
    process.start()
    main = psutil.Process(process.pid)
    peaks = [0.0, 0.0]
    while process.is_alive():
        try:
            own = main.memory_info().rss
            total = own + sum(child.memory_info().rss for child in main.children(recursive=True))
        except psutil.NoSuchProcess:
            continue
        peaks = [max(peak, value / 2**20) for peak, value in zip(peaks, (own, total), strict=True)]
        process.join(SAMPLE_INTERVAL_S)
    if process.exitcode:
        raise SystemExit(f"{kind}, {count} images: failed")
    return time.monotonic() - started, peaks[0], peaks[1]


def main() -> None:
    """Prints one line per source and number of images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[10_000, 100_000])
    parser.add_argument("--sources", nargs="+", default=["stream", "crowdhuman"])
    arguments = parser.parse_args()
    print(f"{'source':12}{'images':>10}{'time s':>9}{'images/s':>10}{'main MiB':>10}{'all MiB':>9}")
    for kind in arguments.sources:
        for count in arguments.counts:
            folder = Path(tempfile.mkdtemp())
            try:
                if kind == "crowdhuman":
                    write_crowdhuman(folder / kind, count)
                seconds, own, total = measure(kind, count, folder)
            finally:
                shutil.rmtree(folder)
            print(f"{kind:12}{count:10d}{seconds:9.1f}{count / seconds:10.0f}{own:10.0f}{total:9.0f}", flush=True)


if __name__ == "__main__":
    main()
