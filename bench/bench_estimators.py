"""Time per scene of each installed density estimator, for 300 and 3,000 people."""

from __future__ import annotations

import time

from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.errors import DensityError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.testing import example_scene

PERSON_COUNTS = (300, 3000)
NUM_REPEATS = 5


def main() -> None:
    scenes = [example_scene(count) for count in PERSON_COUNTS]
    columns = ", ".join(f"{count} people" for count in PERSON_COUNTS)
    print(f"milliseconds per scene, minimum of {NUM_REPEATS} runs: {columns}")
    for name, estimator_class in installed_plugins().density_estimators.items():
        estimator = configure_estimator(estimator_class, {}).fit(scenes)
        times_ms = [min_time_s(estimator, scene) * 1e3 for scene in scenes]
        print(f"  {name:18}" + "".join(f"{time_ms:9.2f}" for time_ms in times_ms))


def min_time_s(estimator: DensityEstimator, scene: Scene) -> float:
    """Minimum time of an estimate in seconds."""
    times = []
    for _ in range(NUM_REPEATS):
        start = time.perf_counter()
        try:
            estimator.estimate(scene)
        except DensityError as error:
            print(f"  {estimator.name}: {error}")
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
