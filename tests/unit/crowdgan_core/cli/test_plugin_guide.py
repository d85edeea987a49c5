"""The command in the plugin guide works."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from tests.support.sources import image_bytes, odgt, person, write_files


def test_the_command_in_the_plugin_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (Path(__file__).parents[4] / "docs" / "plugins.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    module = ModuleType("guide")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for marker in ("class Headcount(", "class CountOptions"):
        (block,) = (text for text in blocks if marker in text)
        exec(block, module.__dict__)
    records = {name: [person(9 + n, 9) for n in range(count)] for name, count in (("a", 3), ("b", 1))}
    entries = {f"{name}.jpg": image_bytes(1) for name in records}
    source = write_files(tmp_path / "crowds", {**entries, "a.odgt": odgt(records).encode()})
    (spec,) = module.crowdgan_register_commands()
    arguments = ["--source", str(source), "--min-people", "2", "--workers", "1"]
    result = CliRunner().invoke(spec.command, arguments, catch_exceptions=False)
    assert result.stdout == "a: 3\n"
