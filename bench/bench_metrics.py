"""Speed and memory of distances between feature sets, compared with torchmetrics and torch in the same run.

FID and KID: torchmetrics with a module that returns its input. Precision and recall, which torchmetrics does not have:
`torch.cdist` and `torch.kthvalue` on blocks of rows. Each case runs in a separate process, so that its peak memory is
measured separately; ratios are between cases of the same run. Prints the values too, which must agree. The square root
of the product of covariances takes torchmetrics several minutes with 2,048 features on two cores. Then it
prints images per second of the feature extractors whose weights are installed.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_core.metrics import density_coverage, frechet_distance, kernel_distance, precision_recall
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.cpus import available_cpus

NUM_IMAGES = 50_000
NUM_NEIGHBOUR_IMAGES = 10_000
NUM_FEATURES = 2048
BATCH = 500
NUM_NEIGHBOURS = 3
NUM_EXTRACTED_IMAGES, EXTRACTED_SIZE, NUM_ROUNDS = 128, (256, 256), 3

Features = npt.NDArray[np.float32]
Values = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=NUM_IMAGES, help="images per set for FID and KID")
    parser.add_argument(
        "--neighbour-images",
        type=int,
        default=NUM_NEIGHBOUR_IMAGES,
        help="images per set for precision and recall, density and coverage; 50,000 take 25 times as long as 10,000",
    )
    parser.add_argument("--features", type=int, default=NUM_FEATURES, help="features per image")
    parser.add_argument("--case", nargs=2, metavar=("NAME", "IMPLEMENTATION"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        name, implementation = options.case
        print(json.dumps(measure(CASES[name][implementation], num_images(options, name), options.features)))
        return
    print(f"{available_cpus()} cores, {options.features} features; memory includes the features and the libraries")
    for name, implementations in CASES.items():
        print(f"{name}, 2 x {num_images(options, name):,} images")
        results = {implementation: measure_in_process(name, implementation) for implementation in implementations}
        for implementation, result in results.items():
            ratio = result["seconds"] / results["crowdgan"]["seconds"]
            values = ", ".join(f"{key} {value:.5g}" for key, value in result["values"].items())
            print(
                f"  {implementation:12} {result['seconds']:8.1f} s, {ratio:6.2f} x, "
                f"peak memory {result['peak_mib']:6.0f} MiB ({result['features_mib']:.0f} MiB of features); {values}"
            )
    print_extractor_rates()  # last: child processes inherit the peak memory of this process


def print_extractor_rates() -> None:
    """Prints images per second of each extractor on all cores, by the median of some rounds."""
    images = np.random.default_rng(0).integers(0, 256, (NUM_EXTRACTED_IMAGES, *EXTRACTED_SIZE, 3), dtype=np.uint8)
    for name, extractor_class in installed_plugins().feature_extractors.items():
        if extractor_class.weights_file is not None or extractor_class.unavailable_reason() is not None:
            continue
        extractor = extractor_class.load(device="cpu")
        seconds = []
        for _ in range(NUM_ROUNDS + 1):  # the first round starts threads
            start = time.perf_counter()
            extractor.features(images)
            seconds.append(time.perf_counter() - start)
        rate = len(images) / statistics.median(seconds[1:])
        print(f"{name:12} {rate:6.1f} images/s on {available_cpus()} cores")


def num_images(options: argparse.Namespace, name: str) -> int:
    """Number of images per set of a case."""
    count: int = options.images if name in ("FID", "KID") else options.neighbour_images
    return count


def measure_in_process(name: str, implementation: str) -> dict[str, Any]:
    """Measures a case in a separate process."""
    command = [sys.executable, __file__, *sys.argv[1:], "--case", name, implementation]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(run.stdout)
    return result


def measure(function: Callable[[Features, Features], Values], num_images: int, num_features: int) -> dict[str, Any]:
    """Seconds of a call without imports, its values, and peak memory of this process in MiB."""
    real, generated = (create_features(num_images, num_features, seed) for seed in range(2))
    function(real[:BATCH], generated[:BATCH])  # imports libraries and starts threads
    start = time.perf_counter()
    values = function(real, generated)
    seconds = time.perf_counter() - start
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    features_mib = (real.nbytes + generated.nbytes) / 2**20
    return {"seconds": seconds, "peak_mib": peak_mib, "features_mib": features_mib, "values": values}


def create_features(num_images: int, num_features: int, seed: int) -> Features:
    """Correlated positive features with decreasing variances, as those of Inception networks."""
    rng = np.random.default_rng(0)
    scales = np.geomspace(1, 0.01, num_features, dtype=np.float32)
    mixing = scales[:, None] * rng.standard_normal((num_features, num_features), np.float32) / num_features**0.5
    rng = np.random.default_rng([1, seed])
    features = np.empty((num_images, num_features), np.float32)
    for start in range(0, num_images, BATCH):
        batch = features[start : start + BATCH]
        batch[:] = np.maximum(rng.standard_normal(batch.shape, np.float32) @ mixing + 0.2 + 0.01 * seed, 0)
    return features


def fid(real: Features, generated: Features) -> Values:
    return {"FID": frechet_distance(real, generated)}


def kid(real: Features, generated: Features) -> Values:
    return {"KID": kernel_distance(real, generated, subset_size=min(1000, len(real))).mean}


def neighbours(real: Features, generated: Features) -> Values:
    return precision_recall(real, generated, NUM_NEIGHBOURS)._asdict()


def balls(real: Features, generated: Features) -> Values:
    return density_coverage(real, generated)._asdict()


def torchmetrics_fid(real: Features, generated: Features) -> Values:
    from torch import nn
    from torchmetrics.image.fid import FrechetInceptionDistance

    extractor = nn.Identity()
    extractor.num_features = real.shape[1]  # type: ignore[assignment]
    metric = FrechetInceptionDistance(feature=extractor)
    update(metric, real, generated)
    if len(real) <= real.shape[1]:  # the call that starts threads: its covariances are singular
        return {}
    return {"FID": metric.compute().item()}


def torchmetrics_kid(real: Features, generated: Features) -> Values:
    from torch import nn
    from torchmetrics.image.kid import KernelInceptionDistance

    warnings.filterwarnings("ignore", message=".*will save all extracted features.*")
    metric = KernelInceptionDistance(feature=nn.Identity(), subset_size=min(1000, len(real)))
    update(metric, real, generated)
    return {"KID": metric.compute()[0].item()}


def update(metric: Any, real: Features, generated: Features) -> None:
    """Adds features to a metric of torchmetrics in batches."""
    import torch

    for is_real, features in ((True, real), (False, generated)):
        for batch in torch.from_numpy(features).split(BATCH):
            metric.update(batch, real=is_real)


def torch_neighbours(real: Features, generated: Features) -> Values:
    import torch

    def covered_fraction(centres: torch.Tensor, points: torch.Tensor) -> float:
        """Fraction of the points inside the ball of at least one centre."""
        radii = torch.cat(
            [torch.cdist(rows, centres).kthvalue(NUM_NEIGHBOURS + 1).values for rows in centres.split(BATCH)]
        )
        inside = [(torch.cdist(rows, centres) <= radii).any(dim=1) for rows in points.split(BATCH)]
        return torch.cat(inside).float().mean().item()

    sets = torch.from_numpy(real), torch.from_numpy(generated)
    return {"precision": covered_fraction(*sets), "recall": covered_fraction(*sets[::-1])}


CASES: dict[str, dict[str, Callable[[Features, Features], Values]]] = {
    "FID": {"crowdgan": fid, "torchmetrics": torchmetrics_fid},
    "KID": {"crowdgan": kid, "torchmetrics": torchmetrics_kid},
    "precision and recall": {"crowdgan": neighbours, "torch": torch_neighbours},
    "density and coverage": {"crowdgan": balls},
}
"""Functions of real and generated features, by case and implementation."""


if __name__ == "__main__":
    main()
