"""Annotated frames of a fixed camera: crowds of known density in two zones over time."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from crowdgan_core.scenes.camera import polygon_area_m2
from crowdgan_core.synthetic.world.polygons import hard_core_points
from crowdgan_core.testing import EXAMPLE_CAMERA
from crowdgan_core.utils.arrays import Points
from tests.support.crowds import crowd_scene
from tests.support.sources import image_bytes, odgt, person, write_files

ZONES_M = {
    "entrance": np.array([[-5.5, 12], [-0.5, 12], [-0.5, 18], [-5.5, 18]], float),
    "stage": np.array([[0.5, 12], [5.5, 12], [5.5, 18], [0.5, 18]], float),
}
"""Corners of the zones on the ground in metres."""

MIN_DISTANCE_M = 0.4
"""Minimum distance between people."""

INTERVAL_S = 30.0
"""Time between two frames in seconds."""


def zone_counts(frame: int, num_frames: int) -> dict[str, int]:
    """Number of people in each zone: a rush at the entrance, later a crowd at the stage."""
    time = frame / num_frames
    rush, show = math.exp(-((time - 0.3) ** 2) / 0.02), math.exp(-((time - 0.65) ** 2) / 0.05)
    return {"entrance": round(4 + 26 * rush), "stage": round(3 + 50 * show)}


def write_video(folder: Path, num_frames: int = 24) -> Path:
    """Writes frames `frame_0.jpg`, … with CrowdHuman annotations; returns the folder."""
    records = {}
    for frame in range(num_frames):
        positions = frame_positions(frame, num_frames)
        boxes = crowd_scene(positions, seed=frame).full_boxes.tolist()
        records[f"frame_{frame}"] = [person(*box) for box in boxes]
    images = {f"{name}.jpg": image_bytes(1, EXAMPLE_CAMERA.size) for name in records}
    return write_files(folder, {**images, "annotation.odgt": odgt(records).encode()})


def write_zones(path: Path) -> Path:
    """Writes the zones as GeoJSON in pixels; returns the path."""
    features = []
    for name, corners_m in ZONES_M.items():
        corners = EXAMPLE_CAMERA.pixels_from_ground(corners_m).round(1).tolist()
        geometry = {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}
        features.append({"type": "Feature", "properties": {"name": name}, "geometry": geometry})
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def frame_positions(frame: int, num_frames: int) -> Points:
    """Positions of all people of a frame in metres, `[num_people, 2]`."""
    rng = np.random.default_rng(frame)
    counts = zone_counts(frame, num_frames)
    return np.vstack([hard_core_points(rng, ZONES_M[name], counts[name], MIN_DISTANCE_M)[0] for name in ZONES_M])


def zone_density(name: str, frame: int, num_frames: int) -> float:
    """Ground-truth density of a zone in a frame in persons/m²."""
    return zone_counts(frame, num_frames)[name] / polygon_area_m2(ZONES_M[name])
