"""The examples in the plugin guide work, and those of each kind of plugin equal the templates of new plugins."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from crowdgan_core.plugins.skeleton import KINDS, TEMPLATE_NAME, plugin_files
from crowdgan_core.sources.checked_source import open_checked
from tests.support.sources import image_bytes, odgt, person, write_files

GUIDE = Path(__file__).parents[4] / "docs" / "plugins"

PAGES = {
    "estimator": "estimators.md",
    "source": "sources.md",
    "format": "formats.md",
    "backend": "models.md",
    "extractor": "metrics.md",
    "predictor": "metrics.md",
    "metric": "metrics.md",
}
"""Page of each kind of plugin."""


def code_blocks(page: str) -> list[str]:
    """The Python code blocks of a page of the guide."""
    return re.findall(r"```python\n(.*?)```", (GUIDE / page).read_text(encoding="utf-8"), re.DOTALL)


def run_block(monkeypatch: pytest.MonkeyPatch, page: str, marker: str) -> ModuleType:
    """A module with the code block of a page that contains the marker."""
    module = ModuleType("guide")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    (block,) = (text for text in code_blocks(page) if marker in text)
    exec(block, module.__dict__)
    return module


@pytest.mark.parametrize("kind", KINDS)
def test_examples_equal_the_templates_of_new_plugins(kind: str) -> None:
    contents = plugin_files(TEMPLATE_NAME, kind)
    blocks = code_blocks(PAGES[kind]) + (code_blocks("index.md") if kind == "estimator" else [])
    assert contents["src/example_plugin/__init__.py"] in blocks
    assert contents["tests/test_example_plugin.py"] in blocks


def test_the_package_in_the_plugin_guide_is_that_of_a_new_plugin() -> None:
    page = (GUIDE / "index.md").read_text(encoding="utf-8")
    assert f"```toml\n{plugin_files('my-estimator', 'estimator')['pyproject.toml']}```" in page


def test_the_test_of_a_dataset_in_the_plugin_guide_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    format_module = run_block(monkeypatch, "formats.md", "class TarFormat")
    monkeypatch.setitem(sys.modules, "example_plugin", format_module)
    module = run_block(monkeypatch, "formats.md", "def test_labels_are_stored")
    module.test_labels_are_stored_beside_the_images(tmp_path)


def test_the_source_in_the_plugin_guide_skips_images_with_damaged_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = run_block(monkeypatch, "sources.md", "class BoxSource")
    (tmp_path / "boxes.csv").write_text("a.png,4,8,10,30\na.png,20,9,x,32\nb.png,7,7,12,31\n\n")
    reader = open_checked(module.BoxSource(), [tmp_path], None)
    assert [image.source_name for image in reader] == ["b.png"]
    (problem,) = reader.problems
    assert [text.removeprefix(str(tmp_path)) for text in problem.names] == [
        "/boxes.csv:2: could not convert string to float: 'x'",
        "/boxes.csv:4: not enough values to unpack (expected 4, got 0)",
    ]


def test_the_command_in_the_plugin_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = run_block(monkeypatch, "commands.md", "class CountOptions")
    records = {name: [person(9 + n, 9) for n in range(count)] for name, count in (("a", 3), ("b", 1))}
    entries = {f"{name}.jpg": image_bytes(1) for name in records}
    source = write_files(tmp_path / "crowds", {**entries, "a.odgt": odgt(records).encode()})
    (spec,) = module.crowdgan_register_commands()
    arguments = ["--source", str(source), "--min-people", "2", "--workers", "1"]
    result = CliRunner().invoke(spec.command, arguments, catch_exceptions=False)
    assert result.stdout == "a: 3\n"


def test_the_pretrained_model_in_the_plugin_guide_is_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = run_block(monkeypatch, "models.md", "PretrainedModel(")
    path = tmp_path / "my-crowds.safetensors"
    path.touch()
    module.__dict__["__file__"] = str(tmp_path / "guide.py")
    (model,) = module.crowdgan_register_pretrained_models()
    assert (model.name, model.path) == ("my-crowds", path)
