"""Types of the columns of tables with densities."""

from __future__ import annotations

from typing import Any

import pytest

from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.report import CameraReport, ImageReport, report_rows
from crowdgan_density.series.time_series import SeriesPoint, series_rows
from crowdgan_density.table_columns import column_types
from crowdgan_density.zones.zone_report import ZoneReport, zone_rows

CAMERA = CameraReport(height_m=5.0, pitch_deg=20.0, focal_length_px=1000.0, focal_length_known=True, residual=0.05)
DENSITY: dict[str, Any] = {
    "image": "a",
    "person_count": 7,
    "density_per_m2": 0.5,
    "interval_per_m2": (0.4, 0.6),
    "level": "C",
    "peak_per_m2": 1.2,
    "reason": "none",
}
PEAK: dict[str, Any] = {"peak_level": "E", "fractions_above": (0.4, 0.2)}
AREA = {"corrected_count": 7.5, "area_m2": 15.0, "visible_fraction": 1.0, "voronoi_density_per_m2": 0.4}
POINT = SeriesPoint(time_s=0.0, zone="gate", smoothed_per_m2=0.5, warning="moved", **DENSITY)


@pytest.mark.parametrize(
    "rows",
    [
        report_rows([ImageReport(camera=CAMERA, warnings=("low",), **DENSITY, **PEAK)], (0.5, 1.0)),
        zone_rows([ZoneReport(zone="gate", **AREA, **DENSITY, **PEAK)], (0.5, 1.0)),
        series_rows([POINT], GroundPlaneEstimator()),
    ],
    ids=["images", "zones", "series"],
)
def test_columns_have_the_types_of_their_values(rows: list[dict[str, Any]]) -> None:
    assert column_types(rows[0]) == {name: type(value) for name, value in rows[0].items()}
