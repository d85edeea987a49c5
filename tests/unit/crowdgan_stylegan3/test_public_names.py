"""Public names of `crowdgan_stylegan3`: complete, and loaded on first use."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import crowdgan_stylegan3


def imports_for_type_checking() -> dict[str, str]:
    """Public names to the modules from which type checkers import them."""
    tree = ast.parse(Path(crowdgan_stylegan3.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def test_public_names_are_those_of_type_checkers() -> None:
    assert sorted(imports_for_type_checking()) == sorted(crowdgan_stylegan3.__all__)
    assert set(crowdgan_stylegan3.__all__) <= set(dir(crowdgan_stylegan3))


def test_public_names_are_defined_in_the_modules_that_type_checkers_read() -> None:
    for name, module in imports_for_type_checking().items():
        assert getattr(crowdgan_stylegan3, name).__module__ == module


def test_no_public_name_equals_a_submodule() -> None:
    folder = Path(crowdgan_stylegan3.__file__).parent
    assert not {path.stem for path in folder.iterdir()} & set(crowdgan_stylegan3.__all__)


def test_the_version_is_that_of_the_distribution() -> None:
    assert crowdgan_stylegan3.__version__ == version("crowdgan-stylegan3")


def test_importing_the_package_loads_no_torch_and_no_numpy() -> None:
    program = "import sys, crowdgan_stylegan3\nprint({'torch', 'numpy', 'scipy', 'PIL'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
