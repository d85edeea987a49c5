"""Skeletons of plugin packages, made from the templates in `templates/`: one working example of each kind."""

from __future__ import annotations

import importlib.util
import keyword
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from crowdgan_core.errors import ConfigError
from crowdgan_core.hookspecs import PLUGIN_NAME_PATTERN
from crowdgan_core.io.atomic import atomic_path, wrap_os_errors

TEMPLATE_NAME = "example-plugin"
"""Name of the plugin in the templates; its module is `example_plugin`."""

DEPENDENCIES = '"numpy>=1.24"'
"""Last dependency in the template of `pyproject.toml`."""

USAGE_LINE = "crowdgan plugins --help"
"""Line in the template of `README.md` that the command of the kind replaces."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of plugin."""

    usage: str
    """A command that uses the plugin `example-plugin`."""

    dependencies: tuple[str, ...] = ()
    """Requirements of the example besides crowdgan-core and numpy."""


KINDS: Mapping[str, Kind] = {
    "estimator": Kind(usage="crowdgan label --source IMAGES --dest crowds.zip --density example-plugin"),
    "source": Kind(usage="crowdgan convert --source FOLDER --source-kind example-plugin --dest images.zip"),
    "format": Kind(usage="crowdgan convert --source IMAGES --dest images.tar"),
    "backend": Kind(
        usage="crowdgan generate --network model.safetensors --outdir images --seeds 0-9",
        dependencies=("safetensors>=0.4",),
    ),
    "extractor": Kind(usage="crowdgan metrics --network MODEL --data crowds.zip --features example-plugin"),
    "predictor": Kind(usage="crowdgan metrics density --network MODEL --data crowds.zip"),
    "metric": Kind(usage="crowdgan metrics --network MODEL --data crowds.zip --metrics example-plugin"),
}
"""Kinds of plugins with a template, by the name of its folder."""


def plugin_files(name: str, kind: str) -> dict[str, str]:
    """Contents of the files of a new plugin package, by their paths in it.

    Args:
        name: name of the distribution, the entry point and the plugin's object.
        kind: key of `KINDS`.

    Raises:
        ConfigError: the name is not valid, or the name of an installed module.
    """
    _check_name(name)
    module = name.replace("-", "_")
    templates = files("crowdgan_core.plugins") / "templates"
    texts = {
        "pyproject.toml": templates / "pyproject.toml",
        "README.md": templates / "README.md",
        f"src/{module}/__init__.py": templates / kind / "plugin.py",
        f"tests/test_{module}.py": templates / kind / "test_plugin.py",
    }
    dependencies = ", ".join([DEPENDENCIES, *(f'"{item}"' for item in KINDS[kind].dependencies)])
    replacements = {
        DEPENDENCIES: dependencies,
        USAGE_LINE: KINDS[kind].usage,
        TEMPLATE_NAME: name,
        TEMPLATE_NAME.replace("-", "_"): module,
    }
    contents = {}
    for path, template in texts.items():
        text = template.read_text(encoding="utf-8")
        for old, new in replacements.items():
            text = text.replace(old, new)
        contents[path] = text
    return contents


def write_plugin(folder: Path, contents: Mapping[str, str]) -> None:
    """Writes the files of a plugin package into a new folder, which appears when all are written.

    Raises:
        ConfigError: the folder exists.
        DatasetError: it cannot be written.
    """
    if folder.exists():
        raise ConfigError(f"{folder}: already exists; choose another name or another folder with --dest")
    with atomic_path(folder, overwrite=False) as partial, wrap_os_errors(folder):
        for path, text in contents.items():
            file = partial / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")


def _check_name(name: str) -> None:
    """Checks that a name is valid for a distribution and a module, and not that of an installed module."""
    module = name.replace("-", "_")
    if not PLUGIN_NAME_PATTERN.fullmatch(name) or not module.isidentifier() or keyword.iskeyword(module):
        allowed = "lower-case letters, digits and hyphens, starting with a letter, for example my-estimator"
        raise ConfigError(f"{name} is not a name of a plugin; it must consist of {allowed}")
    if importlib.util.find_spec(module) is not None:
        raise ConfigError(f"{name}: a module {module} is installed already; choose another name")
