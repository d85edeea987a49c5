"""Skeletons of plugin packages: every kind of template works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from crowdgan_core.cli.plugins import command
from crowdgan_core.errors import ConfigError
from crowdgan_core.io import atomic
from crowdgan_core.plugins import skeleton
from crowdgan_core.plugins.skeleton import KINDS, plugin_files, write_plugin

MAX_LINES = {**dict.fromkeys(KINDS, 40), "format": 55, "source": 45}
"""Maximum number of lines of a template, without blank lines; a format has three classes."""


def test_the_test_of_every_kind_of_plugin_passes(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    folders = [tmp_path / f"my-{kind}" for kind in KINDS]
    for kind, folder in zip(KINDS, folders, strict=True):
        write_plugin(folder, plugin_files(folder.name, kind))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*(f"{path}/src" for path in folders), *sys.path])}
    options = ["-v", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *map(str, folders)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    passed = re.findall(r"tests/test_my_(\w+)\.py::test_\w+ PASSED", run.stdout)
    assert passed == list(KINDS), run.stdout


def test_a_package_has_the_name_everywhere() -> None:
    contents = plugin_files("crowd-tar", "format")
    assert list(contents) == ["pyproject.toml", "README.md", "src/crowd_tar/__init__.py", "tests/test_crowd_tar.py"]
    assert not re.search("example.plugin", "".join(contents.values()))
    assert 'crowd-tar = "crowd_tar"' in contents["pyproject.toml"]
    assert 'name, suffixes = "crowd-tar", "NAME.tar"' in contents["src/crowd_tar/__init__.py"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_kind_uses_and_requires_is_in_its_files(kind: str) -> None:
    contents = plugin_files("my-plugin", kind)
    assert KINDS[kind].usage.replace(skeleton.TEMPLATE_NAME, "my-plugin") in contents["README.md"].splitlines()
    has_requirement = '"safetensors>=0.4"]' in contents["pyproject.toml"]
    assert has_requirement == ("safetensors" in contents["src/my_plugin/__init__.py"])


@pytest.mark.parametrize("kind", KINDS)
def test_templates_are_short(kind: str) -> None:
    lines = plugin_files("my-plugin", kind)["src/my_plugin/__init__.py"].splitlines()
    assert len([line for line in lines if line]) <= MAX_LINES[kind]


@pytest.mark.parametrize("name", ["My-Plugin", "my_plugin", "1st", "-x", "", "class", "a/b", "é"])
def test_an_invalid_name_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match="is not a name of a plugin; it must consist of lower-case letters"):
        plugin_files(name, "estimator")


@pytest.mark.parametrize("name", ["json", "crowdgan-core", "numpy"])
def test_the_name_of_an_installed_module_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: a module .* is installed already; choose another name"):
        plugin_files(name, "estimator")


def test_the_command_creates_a_package_and_refuses_an_existing_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, ["new", "my-metric", "--kind", "metric"], catch_exceptions=False)
    files = ["pyproject.toml", "README.md", "src/my_metric/__init__.py", "tests/test_my_metric.py"]
    next_step = "Next step: pip install --editable my-metric"
    assert result.output.splitlines() == ["my-metric", *(f"  {name}" for name in files), next_step]
    assert sorted(str(path) for path in Path("my-metric").rglob("*") if path.is_file()) == sorted(
        f"my-metric/{name}" for name in files
    )
    (tmp_path / "my-metric" / "pyproject.toml").write_text("mine")
    with pytest.raises(ConfigError, match="my-metric: already exists; choose another name or another folder"):
        CliRunner().invoke(command, ["new", "my-metric"], catch_exceptions=False)
    assert (tmp_path / "my-metric" / "pyproject.toml").read_text() == "mine"
    CliRunner().invoke(command, ["new", "my-metric", "--dest", "a/b"], catch_exceptions=False)
    assert (tmp_path / "a" / "b" / "src" / "my_metric" / "__init__.py").is_file()


def test_an_interrupted_command_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic, "move_into_place", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_plugin(tmp_path / "a" / "my-plugin", plugin_files("my-plugin", "source"))
    assert list(tmp_path.iterdir()) == []
