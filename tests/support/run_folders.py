"""Synthetic training runs: the files of a run folder, with values that resemble those of a real run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from crowdgan_core.io.metric_records import MetricRecord
from crowdgan_core.io.run_folder import RunFolder
from tests.support.sources import image_bytes

CLASSES = ("sparse", "medium", "dense")

LINES_PER_SNAPSHOT = 10
"""Lines from one snapshot to the next; only lines at snapshots contain values per class."""

Line = dict[str, object]


def stats_line(kimg: float, means: Mapping[str, float], *, timestamp: float = 1.7e9) -> Line:
    """One line of a stats file, in the official trainer's format."""
    entries: Line = {
        key: {"num": 1, "mean": value, "std": 0.0} for key, value in {**means, "Progress/kimg": kimg}.items()
    }
    return {**entries, "timestamp": timestamp}


def stats_lines(count: int, *, start_kimg: float = 0.0, kimg_per_line: float = 4.0, seed: int = 0) -> list[Line]:
    """Lines of a run: converging losses, diverging scores, and an increasing augmentation probability."""
    rng = np.random.default_rng(seed)
    lines = []
    for index in range(count):
        kimg = start_kimg + index * kimg_per_line
        progress = 1 - np.exp(-index / 40)
        noise = rng.normal(0, 0.06, 7).tolist()
        real, fake = 1.2 * progress + noise[0], -1.2 * progress + noise[1]
        means = {
            "Loss/G/loss": 0.7 + 1.1 * progress + 2 * np.exp(-index / 3) + noise[2],
            "Loss/D/loss": 1.4 - 0.55 * progress + noise[3] / 2,
            "Loss/scores/real": real,
            "Loss/scores/fake": fake,
            "Loss/signs/real": float(np.tanh(real)),
            "Loss/signs/fake": float(np.tanh(fake)),
            "Loss/r1_penalty": 0.02 + 0.05 * np.exp(-index / 60) + abs(noise[4]) / 10,
            "Loss/D/reg": 0.03 + abs(noise[5]) / 20,
            "Progress/tick": float(index),
            "Progress/augment": float(min(0.6, index / 400)),
            "Timing/sec_per_kimg": 31.0 + 3 * noise[6],
            "Timing/total_sec": 31.0 * kimg,
            "Resources/cpu_mem_gb": 3.2,
        }
        for position, name in enumerate(CLASSES) if index % LINES_PER_SNAPSHOT == 0 else ():
            means[f"Loss/scores/real/{name}"] = real + 0.3 * (position - 1)
            means[f"Collapse/spread/{name}"] = 0.3 + 0.1 * (position + 1) * progress
        lines.append(stats_line(round(kimg, 3), {key: float(value) for key, value in means.items()}))
    return lines


def write_stats(folder: Path, lines: Sequence[Line], *, appended: str = "") -> Path:
    """Writes the stats file of a run, with `appended` unchanged after its lines; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines) + appended
    (folder / "stats.jsonl").write_text(text, encoding="utf-8")
    return folder


def write_options(folder: Path, *, resolution: int) -> None:
    """Writes the options of a run on images of this side in pixels."""
    options = {
        "data": "crowds.zip",
        "batch_size": 32,
        "loss_kwargs": {"r1_gamma": 2.0},
        "training_set_kwargs": {"path": "crowds.zip", "resolution": resolution, "use_labels": True},
        "augment_kwargs": None,
        "random_seed": 0,
    }
    (folder / "training_options.json").write_text(json.dumps(options, indent=2), encoding="utf-8")


def write_metrics(folder: Path, snapshots: Sequence[int]) -> None:
    """Writes the values of two metrics at snapshots: an improving distance, and precision and recall."""
    for kimg in snapshots:
        distance, recall = 0.02 + 0.2 * 0.99**kimg, min(0.6, kimg / 400)
        pairs = {"precision": 0.7 - recall / 4, "recall": recall}
        write_metric(folder, "kid_lite0", kimg, {"kid_lite0": distance}, {"kid_lite0": 0.01})
        write_metric(folder, "pr_lite0", kimg, {f"pr_lite0_{name}": value for name, value in pairs.items()})


def write_metric(
    folder: Path, name: str, kimg: float, results: Mapping[str, float], errors: Mapping[str, float] | None = None
) -> None:
    """Appends the values of a metric at a snapshot."""
    run = RunFolder(folder)
    record = MetricRecord(
        metric=name,
        results=results,
        standard_errors=errors or {},
        kimg=kimg,
        num_images=1000,
        seconds=60,
        num_gpus=1,
        snapshot=run.snapshot_path(kimg).name,
        timestamp=1.7e9,
    )
    with run.metric_path(name).open("a", encoding="utf-8") as file:
        file.write(json.dumps(record.to_json()) + "\n")


def write_run(folder: Path, *, lines: int = 60, snapshots: Sequence[int] = (0, 100, 200), tiles: int = 4) -> Path:
    """Writes a run folder: statistics, metrics, options, log, and grids of `tiles` x `tiles` images of 32 px."""
    write_stats(folder, stats_lines(lines))
    write_metrics(folder, snapshots)
    write_options(folder, resolution=32)
    (folder / "log.txt").write_text("tick 0\n", encoding="utf-8")
    for name, seed in {"reals": 1, "fakes_init": 2, **{f"fakes{kimg:06d}": kimg + 3 for kimg in snapshots}}.items():
        tile = image_bytes(seed, (32 * tiles, 32 * tiles), "PNG")
        (folder / f"{name}.png").write_bytes(tile)
    return folder
