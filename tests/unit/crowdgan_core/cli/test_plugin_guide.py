"""The command, the pretrained model and the feature extractor in the plugin guide work."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from crowdgan_core.testing import check_feature_extractor
from tests.support.sources import image_bytes, odgt, person, write_files


def run_blocks(monkeypatch: pytest.MonkeyPatch, *markers: str) -> ModuleType:
    """A module with the code blocks of the guide that contain the markers."""
    guide = (Path(__file__).parents[4] / "docs" / "plugins.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    module = ModuleType("guide")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for marker in markers:
        (block,) = (text for text in blocks if marker in text)
        exec(block, module.__dict__)
    return module


def test_the_command_in_the_plugin_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = run_blocks(monkeypatch, "class Headcount(", "class CountOptions")
    records = {name: [person(9 + n, 9) for n in range(count)] for name, count in (("a", 3), ("b", 1))}
    entries = {f"{name}.jpg": image_bytes(1) for name in records}
    source = write_files(tmp_path / "crowds", {**entries, "a.odgt": odgt(records).encode()})
    (spec,) = module.crowdgan_register_commands()
    arguments = ["--source", str(source), "--min-people", "2", "--workers", "1"]
    result = CliRunner().invoke(spec.command, arguments, catch_exceptions=False)
    assert result.stdout == "a: 3\n"


def test_the_feature_extractor_in_the_plugin_guide_fulfils_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    module = run_blocks(monkeypatch, "class MeanColours(")
    (extractor,) = module.crowdgan_register_feature_extractors()
    check_feature_extractor(extractor.load())


def test_the_pretrained_model_in_the_plugin_guide_is_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = run_blocks(monkeypatch, "class Headcount(", "PretrainedModel(")
    path = tmp_path / "my-crowds.safetensors"
    path.touch()
    module.__dict__["__file__"] = str(tmp_path / "guide.py")
    (model,) = module.crowdgan_register_pretrained_models()
    assert (model.name, model.path) == ("my-crowds", path)
