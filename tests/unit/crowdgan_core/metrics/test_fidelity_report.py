"""The JSON file of density fidelity reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.metrics.fidelity_report import FidelityReport, encode_report, read_report
from crowdgan_core.metrics.metric import MetricValue
from tests.support.fidelity_reports import example_report


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    report = example_report()
    path = tmp_path / "report.json"
    path.write_bytes(encode_report(report))
    assert read_report(path) == report


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("[1]", "not a density fidelity report; write one with `crowdgan metrics density`"),
        ('{"format": 2}', "report of format 2; this version reads format 1"),
        ('{"format": 1, "data": 3}', r"\.data: found 3; it must be a string"),
    ],
)
def test_files_that_are_not_reports_are_an_error(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(content)
    with pytest.raises(DatasetError, match=message) as raised:
        read_report(path)
    assert str(path) in str(raised.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_report(tmp_path / "missing.json")


def test_the_headline_is_the_valid_predictor_with_the_lowest_score_relative_to_its_floor() -> None:
    report = example_report()
    first, second = report.predictors
    first, second = (
        replace(item, excess_accuracy=MetricValue(value), void_reasons=())
        for item, value in ((first, -0.1), (second, -0.3))
    )
    assert replace(report, predictors=(first, second)).headline == second
    void = replace(second, void_reasons=("no",))
    assert replace(report, predictors=(first, void)).headline == first
    assert replace(report, predictors=(void,)).headline is None


def test_the_file_states_its_format() -> None:
    assert json.loads(encode_report(example_report()))["format"] == 1
    assert isinstance(example_report(), FidelityReport)
