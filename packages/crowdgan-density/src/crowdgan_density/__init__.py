"""Crowd-density estimators for crowdgan, and sources of head-point datasets.

Public names are imported on first use; importing the package loads neither numpy nor scipy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crowdgan_core.utils.lazy import attach

if TYPE_CHECKING:
    from crowdgan_density.evaluation.ground_truth import read_ground_truth
    from crowdgan_density.evaluation.metrics import evaluate
    from crowdgan_density.ground_plane.calibration import calibrate_camera
    from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
    from crowdgan_density.ground_plane.report import camera_warnings, report_rows, report_scenes
    from crowdgan_density.ground_plane.voronoi import VoronoiEstimator
    from crowdgan_density.ground_plane.voronoi_cells import local_densities_per_m2, voronoi_cells
    from crowdgan_density.image_plane.counting import NormalisedCountEstimator, ThresholdEstimator
    from crowdgan_density.image_plane.grid import GridEstimator, MetricGridEstimator
    from crowdgan_density.image_plane.kernel import KernelDensityEstimator
    from crowdgan_density.image_plane.pairwise import EuclideanEstimator
    from crowdgan_density.level_of_service_scales import LEVEL_OF_SERVICE_SCALES, level_of_service
    from crowdgan_density.series.time_series import density_series, series_rows
    from crowdgan_density.zones.zone_files import read_zones
    from crowdgan_density.zones.zone_report import report_zones, zone_rows
    from crowdgan_density.zones.zone_selection import parse_zones

    __version__: str

__all__ = [
    "LEVEL_OF_SERVICE_SCALES",
    "EuclideanEstimator",
    "GridEstimator",
    "GroundPlaneEstimator",
    "KernelDensityEstimator",
    "MetricGridEstimator",
    "NormalisedCountEstimator",
    "ThresholdEstimator",
    "VoronoiEstimator",
    "calibrate_camera",
    "camera_warnings",
    "density_series",
    "evaluate",
    "level_of_service",
    "local_densities_per_m2",
    "parse_zones",
    "read_ground_truth",
    "read_zones",
    "report_rows",
    "report_scenes",
    "report_zones",
    "series_rows",
    "voronoi_cells",
    "zone_rows",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "EuclideanEstimator": "image_plane.pairwise",
        "GridEstimator": "image_plane.grid",
        "GroundPlaneEstimator": "ground_plane.ground",
        "KernelDensityEstimator": "image_plane.kernel",
        "LEVEL_OF_SERVICE_SCALES": "level_of_service_scales",
        "MetricGridEstimator": "image_plane.grid",
        "NormalisedCountEstimator": "image_plane.counting",
        "ThresholdEstimator": "image_plane.counting",
        "VoronoiEstimator": "ground_plane.voronoi",
        "calibrate_camera": "ground_plane.calibration",
        "camera_warnings": "ground_plane.report",
        "density_series": "series.time_series",
        "evaluate": "evaluation.metrics",
        "level_of_service": "level_of_service_scales",
        "local_densities_per_m2": "ground_plane.voronoi_cells",
        "parse_zones": "zones.zone_selection",
        "read_ground_truth": "evaluation.ground_truth",
        "report_rows": "ground_plane.report",
        "read_zones": "zones.zone_files",
        "report_scenes": "ground_plane.report",
        "report_zones": "zones.zone_report",
        "series_rows": "series.time_series",
        "voronoi_cells": "ground_plane.voronoi_cells",
        "zone_rows": "zones.zone_report",
    },
)
