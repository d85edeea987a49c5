"""Third-party plugins installed by pip work; broken ones are reported and do not affect the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.plugins.skeleton import KINDS, plugin_files
from tests.support.sources import image_bytes, odgt, person, write_files

PLUGIN = Path(__file__).parents[1] / "plugins" / "crowdgan-density-nearest"

Run = Callable[..., subprocess.CompletedProcess[str]]

CONFLICTING = (PLUGIN / "src" / "crowdgan_density_nearest" / "__init__.py").read_text().replace('"nearest"', '"grid"')


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed distributions that extends those of the environment."""
    return tmp_path / "site"


@pytest.fixture
def crowdgan(site: Path) -> Run:
    """Runs `crowdgan` with the distributions in `site`."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-c", "from crowdgan_core.cli import main; main()", *map(str, arguments)]
        path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": path}
        return subprocess.run(program, capture_output=True, text=True, env=environment, check=True, timeout=120)

    return run


def install_module(site: Path, name: str, text: str) -> None:
    """Installs a distribution with one module, with the files that pip creates."""
    module = name.replace("-", "_")
    record = {
        f"{module}.py": text.encode(),
        f"{module}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{module}-1.0.dist-info/entry_points.txt": f"[crowdgan]\n{name} = {module}\n".encode(),
    }
    write_files(site, record)


def test_a_plugin_installed_by_pip_is_listed_and_labels(site: Path, crowdgan: Run, tmp_path: Path) -> None:
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(PLUGIN)]
    subprocess.run(install, check=True, capture_output=True, timeout=300)
    assert "crowdgan-density-nearest 0.3.0" in crowdgan("--help").stdout
    assert "nearest" in crowdgan("label", "--help").stdout
    assert "crowded_from=1  (float)" in crowdgan("density", "nearest").stdout
    listed = {item["distribution"]: item for item in json.loads(crowdgan("plugins", "--json").stdout)["loaded"]}
    assert listed["crowdgan-density-nearest"]["provides"]["density estimator"] == ["nearest"]
    second_person_x = {"near": 16, "middle": 20, "far": 52}
    records = {name: [person(12, 9), person(x, 9)] for name, x in second_person_x.items()}
    entries = {f"{name}.jpg": image_bytes(1) for name in records}
    crowds = write_files(tmp_path / "crowds", {**entries, "a.odgt": odgt(records).encode()})
    dest = tmp_path / "out.zip"
    crowdgan("label", "--source", crowds, "--dest", dest, "--density", "nearest", "--set", "crowded_from=1.5")
    metadata = ZipFormat().open(dest).metadata
    assert (metadata.estimator, metadata.options) == ("nearest", {"crowded_from": 1.5})
    records = {item.source: (pytest.approx(item.density), item.label) for item in metadata.images}
    assert records == {"near": (2.0, 1), "middle": (1.0, 0), "far": (0.2, 0)}
    crowdgan("plot", "density", "--source", crowds, "--density", "nearest", "--out", tmp_path, "--format", "svg")
    assert "to the nearest neighbour" in (tmp_path / "near.svg").read_text()
    truth = tmp_path / "truth.json"
    truth.write_text('{"near": 3.0, "middle": 1.0, "far": 0.1}')
    evaluation = crowdgan("density", "evaluate", "--source", crowds, "--truth", truth, "--density", "nearest", "--json")
    assert json.loads(evaluation.stdout)["estimators"][0]["spearman"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise RuntimeError('no licence')", "plugin broken of broken failed to load: RuntimeError: no licence"),
        (
            "from crowdgan_core.hookspecs import hookimpl\n"
            "@hookimpl\ndef crowdgan_register_densty_estimators():\n    return []\n",
            "broken of broken failed to load: no such hook crowdgan_register_densty_estimators; choose from",
        ),
        ("raise SystemExit", "plugin broken of broken failed to load: SystemExit"),
    ],
    ids=["raises at import", "exits at import", "misspelt hook"],
)
def test_a_broken_plugin_is_reported_and_the_others_work(site: Path, crowdgan: Run, text: str, reason: str) -> None:
    install_module(site, "broken", text)
    run = crowdgan("--help")
    assert "Usage: crowdgan" in run.stdout
    assert reason in run.stderr
    assert run.stderr.count("\n") == 1
    assert "FAILED TO LOAD" in crowdgan("plugins").stdout
    assert "kde  (crowdgan-density)" in crowdgan("density", "kde").stdout


@pytest.mark.parametrize(
    ("text", "problem", "reason"),
    [
        (
            CONFLICTING,
            "NAME CONFLICT",
            "name conflict: broken and crowdgan-density provide the density estimator grid, so it is not available",
        ),
        (
            "from crowdgan_core.hookspecs import hookimpl\n"
            "@hookimpl\ndef crowdgan_register_density_estimators():\n    return [1 / 0]\n",
            "FAILED TO LOAD",
            "plugin broken of broken failed to load: ZeroDivisionError: division by zero",
        ),
    ],
    ids=["name conflict", "raises in a hook"],
)
def test_a_broken_hook_is_reported_by_the_commands_that_call_it(
    site: Path, crowdgan: Run, text: str, problem: str, reason: str
) -> None:
    install_module(site, "broken", text)
    assert crowdgan("--help").stderr == "", "the list of commands needs no estimators"
    run = crowdgan("density", "kde")
    assert "kde  (crowdgan-density)" in run.stdout
    assert reason in run.stderr
    assert run.stderr.count("\n") == 1
    assert problem in crowdgan("plugins").stdout


def test_new_plugins_of_every_kind_are_listed(site: Path, crowdgan: Run) -> None:
    provided = {
        "estimator": "density estimator",
        "source": "scene source",
        "format": "dataset format",
        "backend": "model backend",
        "extractor": "feature extractor",
        "predictor": "density predictor",
        "metric": "metric",
    }
    assert list(provided) == list(KINDS)
    for kind in KINDS:
        install_module(site, f"my-{kind}", plugin_files(f"my-{kind}", kind)[f"src/my_{kind}/__init__.py"])
    listed = json.loads(crowdgan("plugins", "--json").stdout)
    assert (listed["failures"], listed["conflicts"]) == ([], [])
    by_name = {item["name"]: item["provides"] for item in listed["loaded"]}
    assert all(by_name[f"my-{kind}"][provided[kind]] == [f"my-{kind}"] for kind in KINDS)


def test_a_new_format_and_source_installed_by_pip_convert(site: Path, crowdgan: Run, tmp_path: Path) -> None:
    for kind in ("format", "source"):
        package = tmp_path / f"my-{kind}"
        crowdgan("plugins", "new", package.name, "--kind", kind, "--dest", package)
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(package)]
        subprocess.run(install, check=True, capture_output=True, timeout=300)
    assert "NAME.shards, NAME.tar." in " ".join(crowdgan("label", "--help").stdout.split())
    boxes = b"a.jpg,10,20,8,24\na.jpg,30,20,8,24\nb.jpg,10,20,8,24\n"
    crowds = write_files(tmp_path / "crowds", {"a.jpg": image_bytes(1), "b.jpg": image_bytes(2), "boxes.csv": boxes})
    options = ["--density", "threshold", "--set", "sparse_up_to=1", "--set", "medium_up_to=2"]
    dest = tmp_path / "out.tar"
    crowdgan("label", "--source", crowds, "--dest", dest, *options, "--region", "full")
    with tarfile.open(dest) as archive:
        labels = [archive.extractfile(f"{index:08d}.cls").read() for index in range(2)]  # type: ignore[union-attr]
    assert labels == [b"1", b"0"]
    crowdgan("convert", "--source", dest, "--dest", tmp_path / "out.zip")
    assert [record.label for record in ZipFormat().open(tmp_path / "out.zip").metadata.images] == [1, 0]
