"""Accuracy of densities in zones on synthetic crowds with known positions.

Renders scenes as `crowdgan synth` does, draws one zone in each, and compares its area and density with the ground
truth: with the homography of the camera and exact boxes, and calibrated from boxes with errors, with known and unknown
focal length.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from bench_ground import known_scene_of

from crowdgan_core.scenes.camera import Camera, polygon_area_m2
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.sources.crowdhuman import parse_line
from crowdgan_core.synthetic import SyntheticConfig
from crowdgan_core.synthetic.writer import render_image
from crowdgan_core.utils.arrays import Points
from crowdgan_core.utils.clipping import intersect_convex
from crowdgan_core.utils.cpus import available_cpus
from crowdgan_core.utils.parallel import parallel_map
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.zones.simple_polygons import is_inside
from crowdgan_density.zones.zone_files import Zone
from crowdgan_density.zones.zone_placement import clip_to_region, pixel_matrix
from crowdgan_density.zones.zone_report import ZoneReport, report_scene_zones

NUM_SCENES = 200

ZONE_SDS = 0.7
"""Half axes of the zone in standard deviations of the corners of the visible occupied ground."""

CONDITIONS = ("homography, exact boxes", "focal length known", "focal length unknown")


@dataclass(frozen=True, kw_only=True)
class KnownZone:
    """A zone with known area and people, and its reports in each condition."""

    area_m2: float
    person_count: int
    reports: tuple[ZoneReport, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=NUM_SCENES, help="number of scenes")
    count = parser.parse_args().scenes
    config = SyntheticConfig(images=count, seed=11)
    zones = list(parallel_map(partial(measure_known_zone, config), range(count), workers=available_cpus()))
    print("| | zones | error of the density, median | 90 % | error of the area, median | coverage |")
    print("|---|---|---|---|---|---|")
    for index, condition in enumerate(CONDITIONS):
        print(f"| {condition} | {' | '.join(format_row(zones, index))} |")


def measure_known_zone(config: SyntheticConfig, index: int) -> KnownZone:
    """Renders a scene and measures a zone in the middle of its crowd."""
    image = render_image(config, index)
    truth = image.ground_truth
    camera = Camera(
        height_m=truth["camera"]["height_m"],
        pitch_rad=math.radians(truth["camera"]["pitch_deg"]),
        focal_length_px=truth["camera"]["focal_length_px"],
        size=tuple(truth["camera"]["size"]),
    )
    positions = np.array([(person["x_m"], person["y_m"]) for person in truth["people"]])
    corners_m = draw_zone(camera, np.array(truth["region_m"]))
    zones = (Zone(name="zone", corners=camera.pixels_from_ground(corners_m)),)
    people = parse_line(json.dumps(image.record), image.image_id)[1]
    exact = Scene.from_annotations(people, source_name=image.image_id, size=camera.size)
    noisy = known_scene_of(image, config.seed, index).scene
    with tempfile.TemporaryDirectory() as folder:
        known_camera = GroundPlaneEstimator(homography=write_homography(camera, Path(folder) / f"{index}.json"))
        (of_exact,) = report_scene_zones(known_camera, zones, exact)
    calibrated = [
        report_scene_zones(GroundPlaneEstimator(), zones, scene)[0]
        for scene in (noisy, replace(noisy, focal_length_px=None))
    ]
    return KnownZone(
        area_m2=polygon_area_m2(corners_m),
        person_count=int(is_inside(positions, corners_m).sum()),
        reports=(of_exact, *calibrated),
    )


def draw_zone(camera: Camera, region_m: Points) -> Points:
    """An ellipse of nine corners in the visible part of the occupied ground, `[num_corners, 2]` metres."""
    height, width = camera.size
    region_px = (0.0, 0.0, float(width), float(height))
    visible = clip_to_region(region_m, region_px, pixel_matrix(camera, region_px))
    angles = 2 * math.pi * np.arange(9) / 9
    ellipse = visible.mean(axis=0) + ZONE_SDS * visible.std(axis=0) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return intersect_convex(ellipse, visible)


def write_homography(camera: Camera, path: Path) -> Path:
    """Writes the homography of a camera; returns the path."""
    height, width = camera.size
    matrix = np.linalg.inv(pixel_matrix(camera, (0.0, 0.0, width, height)))
    path.write_text(json.dumps({"image_to_ground_m": matrix.tolist()}))
    return path


def format_row(zones: Sequence[KnownZone], index: int) -> list[str]:
    """Cells of one condition."""
    known = [(zone, zone.reports[index]) for zone in zones if zone.person_count and zone.reports[index].reason is None]
    truth = np.array([zone.person_count / zone.area_m2 for zone, _ in known])
    densities = np.array([report.density_per_m2 for _, report in known])
    bounds = np.array([report.interval_per_m2 for _, report in known])
    errors = np.abs(densities / truth - 1)
    area_errors = [abs((report.area_m2 or 0) / zone.area_m2 - 1) for zone, report in known]
    covered = (bounds[:, 0] <= truth * (1 + 1e-9)) & (truth * (1 - 1e-9) <= bounds[:, 1])
    return [
        *(f"{len(known)}", f"{np.median(errors):.1%}", f"{np.quantile(errors, 0.9):.0%}"),
        *(f"{np.median(area_errors):.1%}", f"{covered.mean():.0%}"),
    ]


if __name__ == "__main__":
    main()
