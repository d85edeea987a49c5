"""CPU time of `crowdgan synth` per image and stage, in one process and one thread.

With `--baseline`, another version of crowdgan-core renders the same images alternately, for example that of
`git worktree add ../before COMMIT`, `--baseline ../before/packages/crowdgan-core/src`.
"""

from __future__ import annotations

import argparse
import importlib
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

NUM_IMAGES = 40

STAGES = {
    "writer": ("random_world", "annotate", "encode_jpeg"),
    "render.renderer": (
        "render_sky", "render_ground", "draw_shadows", "draw_scenery", "project_people", "draw_people",
        "body_brightness", "apply_camera_effects",
    ),
}  # fmt: skip
"""Functions that are timed, by the module of `crowdgan_core.synthetic` that calls them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=NUM_IMAGES, help="number of images")
    parser.add_argument("--baseline", type=Path, help="source folder of another version")
    options = parser.parse_args()
    baseline = load_renderer(options.baseline.resolve()) if options.baseline else None
    render = load_renderer(None)
    compare(render, baseline, options.images)
    print_stages(options.images)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def load_renderer(source: Path | None) -> Callable[[int], object]:
    """Function that renders the image of an index with the version in a source folder, None: the installed one."""
    for name in [name for name in sys.modules if name.split(".")[0] == "crowdgan_core"]:
        del sys.modules[name]
    sys.path[:0] = [str(source)] if source else []
    writer = importlib.import_module("crowdgan_core.synthetic.writer")
    config = importlib.import_module("crowdgan_core.synthetic.config").SyntheticConfig(images=1)
    writer.render_image(config, 0)
    if source:
        sys.path.remove(str(source))
    return lambda index: writer.render_image(config, index)


def compare(render: Callable[[int], object], baseline: Callable[[int], object] | None, count: int) -> None:
    """Prints CPU seconds per image, and the ratio to the baseline."""
    seconds = before = 0.0
    for index in range(count):
        seconds += cpu_seconds(render, index)
        before += cpu_seconds(baseline, index) if baseline else 0.0
    print(f"{1000 * seconds / count:.1f} ms per image, {count / seconds:.1f} images/s")
    if baseline:
        print(f"baseline {1000 * before / count:.1f} ms, ratio {before / seconds:.2f}")


def cpu_seconds(function: Callable[[int], object], index: int) -> float:
    start = time.process_time()
    function(index)
    return time.process_time() - start


def print_stages(count: int) -> None:
    """Prints CPU time and images/s of each stage."""
    seconds: dict[str, float] = defaultdict(float)
    for module, names in STAGES.items():
        caller = importlib.import_module(f"crowdgan_core.synthetic.{module}")
        for name in names:
            setattr(caller, name, timed(getattr(caller, name), name, seconds))
    writer = importlib.import_module("crowdgan_core.synthetic.writer")
    config = importlib.import_module("crowdgan_core.synthetic.config").SyntheticConfig(images=1)
    for index in range(count):
        writer.render_image(config, index)
    print("| stage | ms | images/s |\n|---|---|---|")
    for name, total in seconds.items():
        print(f"| {name} | {1000 * total / count:.1f} | {count / total:.0f} |")


def timed(function: Callable[..., Any], name: str, seconds: dict[str, float]) -> Callable[..., Any]:
    """The function, whose CPU time is added to `seconds[name]`."""

    def call(*args: object, **options: object) -> object:
        start = time.process_time()
        result = function(*args, **options)
        seconds[name] += time.process_time() - start
        return result

    return call


if __name__ == "__main__":
    main()
