"""Time of `crowdgan plot loss` on three joined runs of 10,000 lines each, and of `plot density` on 12 images.

Whole commands, the start of Python and the import of matplotlib included, in turn with a command that does nothing but
that; medians of several runs, and ratios to it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset  # noqa: E402  the path comes first
from tests.support.run_folders import stats_lines, write_stats  # noqa: E402

LINES = 10_000
IMAGES = 12
ROUNDS = 3
CROWDGAN = [sys.executable, "-c", "from crowdgan_core.cli import main; main()", "plot"]
START = [sys.executable, "-c", "import crowdgan_core.cli, matplotlib.figure"]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = [write_stats(folder / f"run{seed}", stats_lines(LINES, seed=seed)) for seed in range(3)]
        size_mb = sum((run / "stats.jsonl").stat().st_size for run in runs) / 1e6
        write_synthetic_dataset(SyntheticConfig(images=IMAGES, size=(480, 640), seed=3), folder / "crowds")
        loss = ["loss", *map(str, runs), "--out", str(folder / "loss.png"), "--overwrite"]
        density = ["density", "--source", str(folder / "crowds"), "--out", str(folder / "out"), "--overwrite"]
        commands = {
            "start: Python, crowdgan's commands, matplotlib": START,
            f"plot loss, 3 x {LINES:,} lines ({size_mb:.0f} MB)": [*CROWDGAN, *loss],
            f"plot loss --smooth, 3 x {LINES:,} lines": [*CROWDGAN, *loss, "--smooth", "200"],
            f"plot density, {IMAGES} images, grid": [*CROWDGAN, *density, "--density", "grid"],
            f"plot density, {IMAGES} images, voronoi": [*CROWDGAN, *density, "--density", "voronoi"],
            "the same with 1 worker": [*CROWDGAN, *density, "--density", "voronoi", "--workers", "1"],
        }
        seconds: dict[str, list[float]] = {what: [] for what in commands}
        for _ in range(ROUNDS):
            for what, command in commands.items():
                started = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                seconds[what].append(time.perf_counter() - started)
    medians = {what: statistics.median(values) for what, values in seconds.items()}
    start = next(iter(medians.values()))
    print(f"seconds, medians of {ROUNDS} runs in turn, and how many times the start:")
    for what, median in medians.items():
        print(f"  {what:48} {median:6.2f} {median / start:6.1f}")


if __name__ == "__main__":
    main()
