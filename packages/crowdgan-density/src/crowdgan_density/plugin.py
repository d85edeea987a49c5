"""Hook implementations: density estimators, sources of head-point datasets, and commands.

Importing this module imports none of them: each is imported when it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crowdgan_core.hookspecs import CommandSpec, hookimpl

if TYPE_CHECKING:
    from crowdgan_core.density.estimator import DensityEstimator
    from crowdgan_core.metrics.metric import Metric
    from crowdgan_core.metrics.predictor import DensityPredictor
    from crowdgan_core.sources.base import SceneSource


@hookimpl
def crowdgan_register_density_estimators() -> Sequence[type[DensityEstimator]]:
    """Estimators in the image plane, on the ground plane, from a file, and with the published tool's labels."""
    from crowdgan_density.evaluation.ground_truth_estimator import GroundTruthEstimator
    from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
    from crowdgan_density.ground_plane.voronoi import VoronoiEstimator
    from crowdgan_density.image_plane.counting import NormalisedCountEstimator, ThresholdEstimator
    from crowdgan_density.image_plane.grid import GridEstimator, MetricGridEstimator
    from crowdgan_density.image_plane.kernel import KernelDensityEstimator
    from crowdgan_density.image_plane.pairwise import EuclideanEstimator
    from crowdgan_density.image_plane.sg3_compat import (
        Sg3EuclideanEstimator,
        Sg3GridEstimator,
        Sg3GridMetresEstimator,
        Sg3NormalisedEstimator,
        Sg3ThresholdEstimator,
    )

    return [
        ThresholdEstimator,
        NormalisedCountEstimator,
        EuclideanEstimator,
        GridEstimator,
        MetricGridEstimator,
        KernelDensityEstimator,
        GroundPlaneEstimator,
        VoronoiEstimator,
        GroundTruthEstimator,
        Sg3ThresholdEstimator,
        Sg3NormalisedEstimator,
        Sg3EuclideanEstimator,
        Sg3GridEstimator,
        Sg3GridMetresEstimator,
    ]


@hookimpl
def crowdgan_register_scene_sources() -> Sequence[SceneSource]:
    """Crowd-counting datasets with head points."""
    from crowdgan_density.sources.jhu_crowd import JhuCrowd
    from crowdgan_density.sources.matlab_points import ShanghaiTech, UcfCc50, UcfQnrf
    from crowdgan_density.sources.nwpu_crowd import NwpuCrowd

    return [ShanghaiTech(), UcfCc50(), UcfQnrf(), JhuCrowd(), NwpuCrowd()]


@hookimpl
def crowdgan_register_commands() -> Sequence[CommandSpec]:
    """The commands `calibrate` and `report`, and those of `crowdgan density` and `crowdgan metrics`."""
    from crowdgan_core.cli.common.lazy_command import LazyCommand

    calibrate = LazyCommand(
        "calibrate", "Calibrate cameras and report persons/m²", "crowdgan_density.cli.calibrate:command"
    )
    evaluate = LazyCommand("evaluate", "Compare estimates with ground truth", "crowdgan_density.cli.evaluate:command")
    report = LazyCommand("report", "Write an HTML report of densities", "crowdgan_density.cli.report:command")
    series = LazyCommand(
        "series", "Estimate density over time with a fixed camera", "crowdgan_density.cli.series:command"
    )
    fidelity = LazyCommand(
        "density", "Compare requested with measured density", "crowdgan_density.cli.fidelity:command"
    )
    return [
        CommandSpec("", calibrate),
        CommandSpec("", report),
        CommandSpec("density", evaluate),
        CommandSpec("density", series),
        CommandSpec("metrics", fidelity),
    ]


@hookimpl
def crowdgan_register_density_predictors() -> Sequence[type[DensityPredictor]]:
    """Ridge regression on features of a network that was trained on other images."""
    from crowdgan_density.fidelity.ridge_predictor import RidgePredictor

    return [RidgePredictor]


@hookimpl
def crowdgan_register_metrics() -> Sequence[Metric]:
    """Requested against measured density."""
    from crowdgan_density.fidelity.metric import DensityFidelityMetric

    return [DensityFidelityMetric()]
