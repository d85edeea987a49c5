"""CPU time of `crowdgan plot loss` on three runs of 10,000 lines each, and of `crowdgan plot density` on 12 images.

Measures complete commands, including the start of Python and the import of matplotlib, and a baseline command that does
nothing else. The time is that of all processes of a command on the CPU, which other programs hardly change. The
commands alternate; prints medians, and ratios to the baseline.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset  # noqa: E402  needs the change of sys.path
from tests.support.run_folders import stats_lines, write_stats  # noqa: E402

NUM_LINES = 10_000
NUM_IMAGES = 12
NUM_ROUNDS = 3
PLOT_COMMAND = [sys.executable, "-c", "from crowdgan_core.cli import main; main()", "plot"]
BASELINE_COMMAND = [sys.executable, "-c", "import crowdgan_core.cli, matplotlib.figure"]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = [write_stats(folder / f"run{seed}", stats_lines(NUM_LINES, seed=seed)) for seed in range(3)]
        size_mb = sum((run / "stats.jsonl").stat().st_size for run in runs) / 1e6
        write_synthetic_dataset(SyntheticConfig(images=NUM_IMAGES, size=(480, 640), seed=3), folder / "crowds")
        loss = ["loss", *map(str, runs), "--out", str(folder / "loss.png"), "--overwrite"]
        density = ["density", "--source", str(folder / "crowds"), "--out", str(folder / "out"), "--overwrite"]
        density += ["--workers", "1", "--density"]
        commands = {
            "baseline: start Python, import the packages": BASELINE_COMMAND,
            f"plot loss, 3 x {NUM_LINES:,} lines ({size_mb:.0f} MB)": [*PLOT_COMMAND, *loss],
            f"plot loss --smooth, 3 x {NUM_LINES:,} lines": [*PLOT_COMMAND, *loss, "--smooth", "200"],
            **{
                f"plot density, {NUM_IMAGES} images, {name}": [*PLOT_COMMAND, *density, name]
                for name in ("grid", "voronoi", "ground")
            },
        }
        medians_s = time_commands(commands)
    baseline_s = next(iter(medians_s.values()))
    print(f"CPU seconds, medians of {NUM_ROUNDS} alternating runs, and ratio to the baseline:")
    for description, median_s in medians_s.items():
        print(f"  {description:48} {median_s:6.2f} {median_s / baseline_s:6.1f}")


def time_commands(commands: dict[str, list[str]]) -> dict[str, float]:
    """Median CPU time of each command in seconds."""
    seconds: dict[str, list[float]] = {description: [] for description in commands}
    for _ in range(NUM_ROUNDS):
        for description, command in commands.items():
            start_s = _children_cpu_s()
            subprocess.run(command, check=True, capture_output=True)
            seconds[description].append(_children_cpu_s() - start_s)
    return {description: statistics.median(values) for description, values in seconds.items()}


def _children_cpu_s() -> float:
    """CPU time of all ended child processes in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
