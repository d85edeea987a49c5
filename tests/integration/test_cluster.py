"""Commands on a Dask cluster: equal results, workers without the files, lost workers and schedulers, other packages."""

from __future__ import annotations

import itertools
import os
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.cluster import connection
from crowdgan_core.cluster import dask_executor as dask
from crowdgan_core.cluster.connection import check_scheduler, dask_executor
from crowdgan_core.cluster.dask_executor import package_problem
from crowdgan_core.cluster.parallel_options import ParallelOptions
from crowdgan_core.cluster.worker_check import WorkerPackages, python_version
from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.errors import ConfigError, CrowdganError
from tests.integration.test_third_party import install_module
from tests.support.dask_cluster import DaskCluster, dask_cluster

if sys.platform == "win32":
    pytest.skip("needs POSIX signals", allow_module_level=True)

IMAGES = 60

PLUGIN = """
from dataclasses import dataclass
from typing import ClassVar
from crowdgan_core import DensityEstimate, DensityEstimator, hookimpl

@dataclass(frozen=True, kw_only=True)
class Remote(DensityEstimator):
    name: ClassVar[str] = "remote"
    unit: ClassVar[str] = "persons"
    classes: ClassVar[tuple[str, ...]] = ("all",)
    def estimate(self, scene):
        return DensityEstimate(value=float(scene.person_count), unit=self.unit, class_index=0)

@hookimpl
def crowdgan_register_density_estimators():
    return [Remote]
"""

Crowdgan = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("cluster"), workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory, write_crowd: Callable[..., Path]) -> Path:
    return write_crowd(tmp_path_factory.mktemp("source") / "crowd", count=IMAGES, size=(600, 800))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, crowd: Path, run: Crowdgan) -> Path:
    """A folder with the datasets of local runs."""
    folder = tmp_path_factory.mktemp("local")
    for name in ("out.zip", "out.shards"):
        run(*label(crowd, folder / name))
    return folder


@pytest.fixture(scope="module")
def run(crowdgan: list[str]) -> Crowdgan:
    def run_command(
        *arguments: object, check: bool = True, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        command = [*crowdgan, *map(str, arguments)]
        environ = {**os.environ, **environment}
        return subprocess.run(command, capture_output=True, text=True, check=check, cwd=cwd, env=environ, timeout=120)

    return run_command


def label(source: Path, dest: Path, *more: object) -> tuple[object, ...]:
    options = ("--density", "grid", "--resolution", "128x128", "--shard-size", 5)
    return ("label", "--source", source, "--dest", dest, *options, *more)


def run_with_hidden_folder(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs `crowdgan` with the path of a folder that only its process has instead of HIDDEN in the arguments."""
    script = (
        "import os, sys; from crowdgan_core.cli import main;"
        "path = f'/proc/self/fd/{os.open(sys.argv.pop(1), os.O_RDONLY)}';"
        "sys.argv = [text.replace('HIDDEN', path) for text in sys.argv]; main()"
    )
    command = [sys.executable, "-c", script, str(folder), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def content(path: Path) -> dict[str, bytes]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.parametrize("name", ["out.zip", "out.shards"])
def test_datasets_equal_those_of_local_runs(
    name: str, tmp_path: Path, crowd: Path, local: Path, cluster: DaskCluster, run: Crowdgan
) -> None:
    run(*label(crowd, tmp_path / name, "--scheduler", cluster.scheduler_file))
    assert content(tmp_path / name) == content(local / name)


def test_relative_paths_are_those_of_the_client(
    tmp_path: Path, crowd: Path, local: Path, cluster: DaskCluster, run: Crowdgan
) -> None:
    (tmp_path / "crowd").symlink_to(crowd)
    source, dest = Path("crowd"), Path("out.shards")
    run(*label(source, dest, "--scheduler", cluster.scheduler_file), cwd=tmp_path)
    assert content(tmp_path / dest) == content(local / dest)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="hides a folder by a path that only one process has")
def test_workers_that_do_not_see_the_source_receive_its_contents(
    tmp_path: Path, crowd: Path, local: Path, cluster: DaskCluster, run: Crowdgan
) -> None:
    arguments = label(Path("HIDDEN"), tmp_path / "out.zip", "--scheduler", cluster.scheduler_file)
    result = run_with_hidden_folder(crowd, *arguments)
    assert result.returncode == 0, result.stderr
    with ZipFormat().open(tmp_path / "out.zip") as found, ZipFormat().open(local / "out.zip") as expected:
        assert found.metadata.images == expected.metadata.images
        for index in range(len(found)):
            assert np.array_equal(found.image(index), expected.image(index))


def test_the_other_commands_give_the_same_results(
    tmp_path: Path, crowd: Path, cluster: DaskCluster, run: Crowdgan
) -> None:
    scheduler = ("--scheduler", cluster.scheduler_file)
    for name, more in (("local", ("--workers", 1)), ("dask", scheduler)):
        run("synth", tmp_path / name, "--images", 6, "--resolution", "160x120", *more)
        run("calibrate", "--source", crowd, "--out", tmp_path / f"{name}.csv", *more)
        run("convert", "--source", crowd, "--dest", tmp_path / f"{name}.h5", *more)
        run("report", "--source", crowd, "--max-images", 4, "--out", tmp_path / f"{name}.html", *more)
    assert content(tmp_path / "local") == content(tmp_path / "dask")
    for suffix in ("csv", "h5", "html"):
        assert (tmp_path / f"local.{suffix}").read_bytes() == (tmp_path / f"dask.{suffix}").read_bytes()
    assert "data:image/webp" in (tmp_path / "local.html").read_text()


def test_errors_of_images_are_those_of_local_runs(
    tmp_path: Path, write_crowd: Callable[..., Path], cluster: DaskCluster, run: Crowdgan
) -> None:
    crowd = write_crowd(tmp_path / "crowd", count=9)
    (crowd / "crowd004.jpg").write_bytes(b"damaged")
    runs = [
        run(*label(crowd, tmp_path / "out.shards", *more), check=False)
        for more in ((), ("--scheduler", cluster.scheduler_file))
    ]
    assert runs[0].returncode == runs[1].returncode == 1
    assert runs[0].stderr.splitlines()[-1] == runs[1].stderr.splitlines()[-1]
    assert "crowd004.jpg" in runs[1].stderr


def test_a_plugin_that_workers_lack_is_named(tmp_path: Path, crowd: Path, cluster: DaskCluster, run: Crowdgan) -> None:
    install_module(tmp_path / "site", "crowdgan-remote", PLUGIN)
    command = ("label", "--source", crowd, "--dest", tmp_path / "out.zip", "--density", "remote")
    scheduler = ("--scheduler", cluster.scheduler_file)
    result = run(*command, *scheduler, check=False, PYTHONPATH=str(tmp_path / "site"))
    assert "crowdgan-remote is not installed: pip install crowdgan-remote==1.0" in result.stderr
    assert result.returncode == 1
    run(*command, PYTHONPATH=str(tmp_path / "site"))


def test_workers_without_a_plugin_are_not_used(tmp_path: Path, crowd: Path, run: Crowdgan) -> None:
    site = tmp_path / "site"
    install_module(site, "crowdgan-remote", PLUGIN)
    (tmp_path / "cluster").mkdir()
    options = ("--density", "remote", "--shard-size", 2, "--resolution", "32x32")
    with dask_cluster(tmp_path / "cluster", workers=1) as cluster:
        cluster.start_worker(PYTHONPATH=str(site))
        cluster.wait_for_workers(2)
        results = [
            run("label", "--source", crowd, "--dest", tmp_path / name, *options, *more, PYTHONPATH=str(site))
            for name, more in (("a.shards", ("--scheduler", cluster.scheduler_file)), ("b.shards", ()))
        ]
    assert content(tmp_path / "a.shards") == content(tmp_path / "b.shards")
    reason = r"Dask worker on \S+: crowdgan-remote is not installed: pip install crowdgan-remote==1\.0"
    assert len(re.findall(rf"^{reason}; this worker is not used$", results[0].stderr, re.MULTILINE)) == 1


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_work_of_killed_workers_is_repeated(
    kills: int, tmp_path: Path, crowd: Path, local: Path, crowdgan: list[str]
) -> None:
    generator = random.Random(kills)
    (tmp_path / "cluster").mkdir()
    done = 0
    with dask_cluster(tmp_path / "cluster", workers=2) as cluster:
        for attempt in itertools.count():
            if done == kills:
                break
            dest = tmp_path / f"{attempt}" / "out.shards"
            arguments = label(crowd, dest, "--scheduler", cluster.scheduler_file)
            process = subprocess.Popen([*crowdgan, *map(str, arguments)], stderr=subprocess.PIPE, text=True)
            progress = dest.with_name("out.shards.partial") / "finished"
            while process.poll() is None and not progress.exists():
                time.sleep(0.01)
            time.sleep(generator.uniform(0, 1))
            if process.poll() is None:
                cluster.kill_worker(generator.randrange(len(cluster.workers)))
                cluster.start_worker()
                done += 1
            _, stderr = process.communicate(timeout=120)
            messages = [line for line in stderr.splitlines() if not line.startswith("processing images: ")]
            assert (process.returncode, messages) == (0, [])
            assert content(dest) == content(local / "out.shards")


def test_a_build_continues_after_its_scheduler_was_killed(
    tmp_path: Path, crowd: Path, local: Path, crowdgan: list[str], run: Crowdgan
) -> None:
    (tmp_path / "cluster").mkdir()
    dest = tmp_path / "out.shards"
    progress = tmp_path / "out.shards.partial" / "finished"
    with dask_cluster(tmp_path / "cluster", workers=1) as cluster:
        arguments = label(crowd, dest, "--scheduler", cluster.scheduler_file)
        process = subprocess.Popen([*crowdgan, *map(str, arguments)], stderr=subprocess.PIPE, text=True)
        while process.poll() is None and not (progress.exists() and list(progress.glob("*.json"))):
            time.sleep(0.01)
        assert cluster.scheduler is not None
        cluster.scheduler.kill()
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "out.shards.partial keeps the finished parts; the same command continues" in stderr
    assert f"{cluster.scheduler_file}: the connection to the Dask scheduler is lost\n" in stderr
    assert "written before" in run(*label(crowd, dest)).stdout
    assert content(dest) == content(local / "out.shards")


def test_invalid_schedulers_are_reported(tmp_path: Path) -> None:
    for text in ("local[0]", "local[x]", "local", "http://host:8786", "tcp://host", str(tmp_path / "missing.json")):
        with pytest.raises(ValueError, match=r"is not a Dask scheduler; use tcp://HOST:8786, local\[N\]"):
            check_scheduler(text)
        with pytest.raises(ConfigError, match="is not a Dask scheduler"):
            _ = ParallelOptions(scheduler=text).executor
    (tmp_path / "scheduler.json").write_text("{}")
    with pytest.raises(CrowdganError, match=r"scheduler\.json: the Dask scheduler does not answer"):
        dask_executor(str(tmp_path / "scheduler.json"))


def test_a_server_that_is_not_a_scheduler_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(CrowdganError) as caught:
            dask_executor(address)
    problem = "the server at this port is not a Dask scheduler; is it the port of the dashboard?"
    assert str(caught.value) == f"{address}: {problem} The usual port of a scheduler is 8786"


def test_a_cluster_without_workers_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dask, "SILENT_WAIT_S", 0.2)
    monkeypatch.setattr(dask, "WORKERS_TIMEOUT_S", 0.5)
    with dask_cluster(tmp_path, workers=0) as cluster, pytest.raises(CrowdganError) as caught:
        dask_executor(str(cluster.scheduler_file))
    assert str(caught.value) == f"{cluster.scheduler_file}: no Dask worker has joined in 0.5 s"
    assert caplog.messages == [f"{cluster.scheduler_file}: waiting for a Dask worker, at most 0.5 s"]


@pytest.mark.skipif(
    tuple(map(int, version("distributed").split(".")[:2])) < (2026, 8),
    reason="older versions of Dask start such workers again and again",
)
def test_a_script_without_main_guard_is_explained(tmp_path: Path, crowd: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import crowdgan_core as cg\n"
        f"cg.build_dataset(cg.open_source({str(crowd)!r}), {str(tmp_path / 'out.zip')!r}, density='grid', "
        "scheduler='local[1]')\n"
    )
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 1
    assert "local[1]: the worker processes of the Dask cluster cannot start" in result.stderr
    assert "a Python script must make this call under `if __name__ == '__main__':`" in result.stderr


@pytest.mark.parametrize(
    ("python", "versions", "message"),
    [
        ("2.7", {"crowdgan-core": "1.0", "x": "2.0"}, r"worker on node7: Python 2\.7; this process has"),
        (None, {"crowdgan-core": "1.1", "x": "2.0"}, r"node7: crowdgan-core 1\.1; this process has 1\.0; install"),
        (None, {"crowdgan-core": None, "x": "2.0"}, r"node7: crowdgan-core is not installed: pip install .*==1\.0"),
        (None, {"crowdgan-core": "1.0", "x": "2.1"}, r"node7: x 2\.1; this process has 2\.0"),
    ],
)
def test_other_packages_of_workers_are_problems(
    python: str | None, versions: dict[str, str | None], message: str
) -> None:
    found = WorkerPackages(host="node7", python=python or python_version(), versions=versions)
    problem = package_problem({"crowdgan-core": "1.0", "x": "2.0"}, found, required=False)
    assert problem is not None
    assert re.search(message, problem)


def test_plugins_that_a_function_does_not_need_may_be_missing() -> None:
    found = WorkerPackages(host="node7", python=python_version(), versions={"crowdgan-core": "1.0", "x": None})
    expected = {"crowdgan-core": "1.0", "x": "2.0"}
    assert package_problem(expected, found, required=False) is None
    problem = package_problem(expected, found, required=True)
    assert problem == "Dask worker on node7: x is not installed: pip install x==2.0"


def test_workers_must_see_the_folder_of_the_shards(tmp_path: Path, crowd: Path, cluster: DaskCluster) -> None:
    arguments = label(crowd, Path("HIDDEN/out.shards"), "--scheduler", cluster.scheduler_file)
    result = run_with_hidden_folder(tmp_path, *arguments)
    assert result.returncode == 1
    assert "does not see this folder; workers write shards themselves, so choose a destination" in result.stderr


def test_workers_must_see_the_output_folder_of_synth(tmp_path: Path, cluster: DaskCluster) -> None:
    arguments = ("synth", "HIDDEN/out", "--images", 4, "--scheduler", cluster.scheduler_file)
    result = run_with_hidden_folder(tmp_path, *arguments)
    assert result.returncode == 1
    assert "does not see this folder; workers write parts of the dataset themselves, so choose an" in result.stderr
