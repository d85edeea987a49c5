"""The direction of imports between packages and inside core, and what the command may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parents[2] / "packages"
PLUGIN_PACKAGES = {path.name.replace("-", "_") for path in PACKAGES.iterdir() if path.name != "crowdgan-core"}


def imported_names(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def modules() -> list[Path]:
    return sorted(path for package in PACKAGES.glob("crowdgan-*") for path in (package / "src").rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGES)))
def test_packages_import_core_alone_and_click_stays_at_the_edge(path: Path) -> None:
    own = path.relative_to(PACKAGES).parts[2]
    tops = {name.split(".")[0] for name in imported_names(path)}
    assert not tops & (PLUGIN_PACKAGES - {own}), "packages meet through core's types and hooks"
    is_edge = "cli" in path.parts or path.name in ("plugin.py", "builtin.py", "hookspecs.py", "backend.py")
    assert is_edge or "click" not in tops, "click belongs in cli/ and plugin.py"


LIGHT = ["--help", "label --help", "density", "plugins", "generate --help", "sweep --help", "calibrate --help"]


@pytest.mark.parametrize("arguments", LIGHT)
def test_light_commands_import_no_heavy_library(arguments: str) -> None:
    program = (
        f"import sys; sys.argv = ['crowdgan', *{arguments.split()!r}]\n"
        "from crowdgan_core.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'scipy', 'matplotlib', 'h5py', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stderr.strip() == "[]"
