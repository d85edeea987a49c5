"""Tasks of the repository: tests, checks, builds, benchmarks. Every package under packages/ is picked up."""

from __future__ import annotations

import functools
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False  # versions of Python that are missing are skipped

ROOT = Path(__file__).parent
PACKAGES = sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml"))
CORE = "crowdgan-core"
DEMO_PACKAGES = [CORE, "crowdgan-density", "crowdgan-stylegan3"]
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
CONSTRAINTS = ROOT / "constraints.txt"
TEST_TOOLS = ["pytest", "pytest-timeout", "hypothesis", "lmdb"]
PACKAGE_TEST_TOOLS = {
    "crowdgan-density": ['pedpy; python_version >= "3.11"'],  # older ones do not go with numpy 2
    "crowdgan-stylegan3": [
        'triton; sys_platform == "linux"',  # its interpreter runs GPU kernels without a GPU
        'tensorboard; python_version >= "3.11"',
    ],
}
DEFAULT_TESTS = ["-m", "not slow and not gpu"]
PLUGINS = ["tests/plugins/crowdgan-density-nearest", "tests/plugins/crowdgan-blobs"]


def install(session: nox.Session, *arguments: str) -> None:
    """Installs by pip, in the versions that were tested together."""
    session.install("--quiet", "--constraint", str(CONSTRAINTS), *arguments)


def install_packages(session: nox.Session, names: list[str], *, editable: bool = False) -> None:
    """Installs packages of this repository in one call, so that they find one another."""
    arguments: list[str] = []
    for name in names:
        arguments += ["--editable", f"packages/{name}"] if editable else [f"./packages/{name}"]
    install(session, *arguments)


def install_test_tools(session: nox.Session, names: list[str]) -> None:
    """Installs what the tests of these packages need; what only some need could hide a dependency others forgot."""
    install(session, *TEST_TOOLS, *(tool for name in names for tool in PACKAGE_TEST_TOOLS.get(name, [])))


def import_name(package: str) -> str:
    return package.replace("-", "_")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests, with all packages installed."""
    install_packages(session, PACKAGES, editable=True)
    install_test_tools(session, PACKAGES)
    session.run("pytest", *(session.posargs or DEFAULT_TESTS))


def add_package_session(package: str) -> None:
    """Adds `tests-<package>`: the package alone with core, so that a dependency it forgot to declare shows."""

    @nox.session(name=f"tests-{package}", python=PYTHONS)
    def package_tests(session: nox.Session) -> None:
        install_packages(session, sorted({CORE, package}), editable=True)
        install_test_tools(session, [package])
        folder = f"tests/unit/{import_name(package)}"
        session.run("pytest", *(session.posargs or [*DEFAULT_TESTS, folder]))


for name in PACKAGES:
    add_package_session(name)


@nox.session
def slow(session: nox.Session) -> None:
    """The long tests."""
    install_packages(session, PACKAGES, editable=True)
    install_test_tools(session, PACKAGES)
    session.run("pytest", *(session.posargs or ["-m", "slow"]))


@nox.session
def lint(session: nox.Session) -> None:
    """Style: ruff's checks and format."""
    install(session, "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types: mypy, strict."""
    install_packages(session, PACKAGES, editable=True)
    install(session, "mypy", "scipy-stubs")
    session.run("mypy", *(argument for package in PACKAGES for argument in ("-p", import_name(package))))


@nox.session
def build(session: nox.Session) -> None:
    """Source distributions and wheels in dist/, installed from the wheels into a clean environment and tried."""
    install(session, "build")
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    for package in PACKAGES:
        session.run("python", "-m", "build", "--outdir", str(dist), f"packages/{package}", silent=True)
    with tempfile.TemporaryDirectory() as folder:
        python = clean_environment(session, Path(folder))
        install_into(session, python, *map(str, dist.glob("*.whl")))
        try_out(session, python, Path(folder), density="grid")
        small = ["--resolution", "16", "--cbase", "512", "--cmax", "32", "--classes", "sparse,medium,dense"]
        try_out_model(session, python, Path(folder), ["stylegan3", "init", *small])
        try_out_training(session, python, Path(folder))
    session.log(f"built: {', '.join(sorted(path.name for path in dist.iterdir()))}")


@nox.session
def third_party(session: nox.Session) -> None:
    """Plugins of somebody else's, installed by pip into a clean environment with core alone, are put to work."""
    with tempfile.TemporaryDirectory() as folder:
        python = clean_environment(session, Path(folder))
        install_into(session, python, f"./packages/{CORE}", *(f"./{plugin}" for plugin in PLUGINS))
        try_out(session, python, Path(folder), density="nearest")
        try_out_model(session, python, Path(folder), ["train", "blobs"])


@nox.session
def demo(session: nox.Session) -> None:
    """The whole story on made-up crowds: labels, training, images of each density, and a measure of them."""
    install_packages(session, DEMO_PACKAGES)
    session.run("python", "examples/demo.py", "demo")


@nox.session
def gallery(session: nox.Session) -> None:
    """The images of crowdgan-plot's README, by the commands beside them; look at gallery/."""
    install_packages(session, PACKAGES)
    session.run("python", "bench/gallery.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Benchmarks: speed as ratios within one run, and memory."""
    install_packages(session, PACKAGES)
    install(session, "psutil")
    for script in sorted((ROOT / "bench").glob("bench_*.py")):
        session.run("python", str(script), *session.posargs)


def clean_environment(session: nox.Session, folder: Path) -> str:
    """A new virtual environment in `folder`; returns its Python."""
    session.run("python", "-m", "venv", str(folder / "venv"))
    return str(folder / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))


def install_into(session: nox.Session, python: str, *arguments: str) -> None:
    """Installs by the pip of another environment."""
    session.run(python, "-m", "pip", "install", "-q", "-c", str(CONSTRAINTS), *arguments, external=True)


def try_out(session: nox.Session, python: str, folder: Path, density: str) -> None:
    """Runs the commands of an installed crowdgan: an estimator is listed, and labels made-up crowds."""
    crowdgan = str(Path(python).with_name("crowdgan"))
    run = functools.partial(session.run, crowdgan, external=True)
    listed, shown = run("plugins", silent=True) or "", run("label", "--help", silent=True) or ""
    if density not in listed or density not in shown:
        session.error(f"{density} is not listed by `crowdgan plugins` and `crowdgan label --help`")
    crowds = folder / "crowds"
    run("synth", str(crowds), "--images", "6", "--workers", "1")
    for dest in (folder / "crowds.zip", folder / "crowds.h5"):
        run("label", "--source", str(crowds), "--dest", str(dest), "--density", density, "--resolution", "64x64")
        run("inspect", str(dest))


def try_out_model(session: nox.Session, python: str, folder: Path, make: Sequence[str]) -> None:
    """A model is made by a command that takes --dest, inspected, and makes images."""
    environment = {"CROWDGAN_CACHE": str(folder / "cache"), "CROWDGAN_OPS": "native"}
    run = functools.partial(session.run, str(Path(python).with_name("crowdgan")), external=True, env=environment)
    model, out = str(folder / "model.safetensors"), str(folder / "out")
    run(*make, "--dest", model)
    run("inspect", model)
    run("generate", "--network", model, "--seeds", "0-7", "--density", "dense", "--grid", "4x2", "--outdir", out)
    run("sweep", "--network", model, "--seed", "3", "--outdir", out)


def try_out_training(session: nox.Session, python: str, folder: Path) -> None:
    """A tiny network is trained on labelled crowds, by one step and then another, and the run is drawn."""
    environment = {"CROWDGAN_CACHE": str(folder / "cache"), "CROWDGAN_OPS": "native"}
    run = functools.partial(session.run, str(Path(python).with_name("crowdgan")), external=True, env=environment)
    runs = folder / "runs"
    tiny = ["--data", str(folder / "crowds.zip"), "--cbase", "64", "--cmax", "4", "--batch", "4", "--workers", "0"]
    for kimg in ("0.004", "0.008"):
        run("train", "stylegan3", "--outdir", str(runs), *tiny, "--kimg", kimg)
    (made,) = runs.iterdir()
    run("plot", "run", str(made), "--out", str(folder / "run.html"))
