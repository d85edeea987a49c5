"""Time per scene of every installed density estimator, for 300 and 3,000 people."""

from __future__ import annotations

import time

from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.errors import DensityError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.testing import example_scene

COUNTS = (300, 3000)
REPEATS = 5


def main() -> None:
    scenes = [example_scene(count) for count in COUNTS]
    print(f"milliseconds per scene, best of {REPEATS}: " + ", ".join(f"{count} people" for count in COUNTS))
    for name, estimator_class in installed_plugins().density_estimators.items():
        estimator = configure_estimator(estimator_class, {}).fit(scenes)
        times = [best_time_s(estimator, scene) * 1e3 for scene in scenes]
        print(f"  {name:18}" + "".join(f"{item:9.2f}" for item in times))


def best_time_s(estimator: DensityEstimator, scene: Scene) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        try:
            estimator.estimate(scene)
        except DensityError as error:
            print(f"  {estimator.name}: {error}")
        times.append(time.perf_counter() - started)
    return min(times)


if __name__ == "__main__":
    main()
