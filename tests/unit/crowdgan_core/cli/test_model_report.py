"""The model card in the output of `crowdgan inspect`: origin and metrics in readable form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from crowdgan_blobs.model import example_model, write_model

from crowdgan_core.cli.common.model_report import print_model

METRICS = {
    "density_fidelity": {
        "density_fidelity_accuracy": 0.71234,
        "density_fidelity_accuracy_floor": 0.8,
        "other_floor": 2,
    },
    "kid_lite0": {"kid_lite0": 0.0123456},
}


def report_of(path: Path, provenance: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    """The lines of the provenance and those that follow."""
    model = example_model("class", (16, 16))
    write_model(path, replace(model, card=replace(model.card, provenance=provenance)))
    print_model(path, as_json=False)
    return capsys.readouterr().out.partition("settings     blobs: 48\n")[2]


def test_metrics_are_listed_with_their_floors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    provenance = {"data": "crowds.zip", "kimg": 500.5, "metrics": METRICS, "hours": 12.25}
    assert report_of(tmp_path / "m.safetensors", provenance, capsys).splitlines() == [
        "  provenance   data: crowds.zip",
        "               kimg: 500.5",
        "               hours: 12.25",
        "  metrics      density_fidelity_accuracy: 0.7123 (floor 0.8)",
        "               other_floor: 2",
        "               kid_lite0: 0.01235",
    ]


@pytest.mark.parametrize("metrics", ["good", 3, {"a": "b"}, {"a": {"b": [1]}}, [{}]])
def test_an_entry_of_another_form_is_listed_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], metrics: object
) -> None:
    text = report_of(tmp_path / "m.safetensors", {"metrics": metrics}, capsys)
    assert text.startswith("  provenance   metrics: ")
