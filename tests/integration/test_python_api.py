"""The Python API: the examples of docs/reference/python.md run; importing a package is fast, with no heavy library."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from crowdgan_core.cli import main

PYTHON_GUIDE = Path(__file__).parents[2] / "docs" / "reference" / "python.md"

PACKAGES = ("crowdgan_core", "crowdgan_density", "crowdgan_stylegan3", "crowdgan_plot")

HEAVY_LIBRARIES = ("numpy", "torch", "scipy", "matplotlib", "PIL", "h5py", "click", "pandas", "cattrs")


def fenced_blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PYTHON_GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="pandas has no tested version for Python 3.10")
def test_the_examples_in_the_python_guide_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    for command in "".join(fenced_blocks("bash")).splitlines():
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        main()
    examples = fenced_blocks("python")
    assert len(examples) == 6
    names: dict[str, object] = {}
    for number, example in enumerate(examples):
        exec(compile(example, f"docs/reference/python.md, example {number}", "exec"), names)
    assert repr(names["source"]) == "SourceReader(crowdhuman, 24 images)"
    assert repr(names["generator"]) == "ImageGenerator(stylegan3, 32x32, 3 classes)"
    assert getattr(names["images"], "shape", None) == (8, 32, 32, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "CrowdHuman",
        "crowds.safetensors",
        "crowds.zip",
        "dense.webp",
        "losses.pdf",
        "model.safetensors",
        "run.html",
        "runs",
    ]


@pytest.mark.parametrize("name", PACKAGES)
def test_importing_a_package_loads_no_heavy_library(name: str) -> None:
    program = f"import sys, {name}\nprint(*sorted({set(HEAVY_LIBRARIES)!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_can_be_imported_and_is_listed(name: str) -> None:
    package = importlib.import_module(name)
    for public_name in package.__all__:
        assert not isinstance(getattr(package, public_name), ModuleType), f"{public_name} is also a module"
        assert public_name in dir(package)
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", package.__version__)
    assert "__version__" in dir(package)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        _ = package.nothing


@pytest.mark.parametrize("name", PACKAGES)
def test_no_public_name_is_also_a_module(name: str) -> None:
    package = importlib.import_module(name)
    folder = Path(str(package.__file__)).parent
    modules = {path.stem for path in folder.glob("*.py")} | {path.name for path in folder.iterdir() if path.is_dir()}
    assert not modules & set(package.__all__)
