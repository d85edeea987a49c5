"""CPU cores and memory within the limits of a container, and the settings of OpenMP."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from crowdgan_core.utils import cgroup
from crowdgan_core.utils.cpus import MAX_WINDOWS_WORKERS, available_cpus
from crowdgan_core.utils.openmp import WAIT_VARIABLES, set_openmp_defaults


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of control groups without limits; this process is in the group `/batch/job`."""
    (tmp_path / "membership").write_text("4:cpu,cpuacct:/batch/job\n1:name=systemd:/other\n0::/batch/job\n")
    for folder in ("batch/job", "cpu/batch/job"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(cgroup, "CGROUP_PATH", tmp_path)
    monkeypatch.setattr(cgroup, "MEMBERSHIP_PATH", tmp_path / "membership")
    return tmp_path


@pytest.fixture
def _many_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 128 CPU cores."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 128)


@pytest.mark.usefixtures("_many_cpus")
@pytest.mark.parametrize(
    ("name", "text", "cpus"),
    [
        ("cpu.max", "max 100000", 128),
        ("cpu.max", "250000 100000", 2),
        ("cpu.max", "50000 100000", 1),
        ("batch/cpu.max", "400000 100000", 4),
        ("batch/job/cpu.max", "300000 100000", 3),
        ("batch/job/cpu.max", "damaged", 128),
    ],
)
def test_the_cpu_quota_of_each_group_limits_the_number_of_cpus(groups: Path, name: str, text: str, cpus: int) -> None:
    (groups / name).write_text(text + "\n")
    assert available_cpus() == cpus


@pytest.mark.usefixtures("_many_cpus")
@pytest.mark.parametrize(("quota_us", "cpus"), [(-1, 128), (600_000, 6)])
def test_the_cpu_quota_of_cgroup_v1_limits_the_number_of_cpus(groups: Path, quota_us: int, cpus: int) -> None:
    (groups / "cpu/batch/job/cpu.cfs_quota_us").write_text(f"{quota_us}\n")
    (groups / "cpu/batch/job/cpu.cfs_period_us").write_text("100000\n")
    assert available_cpus() == cpus


def test_the_smallest_memory_limit_counts(groups: Path) -> None:
    assert cgroup.available_memory_bytes() == math.inf
    for folder, limit in (("batch", "9000000"), ("batch/job", "max")):
        (groups / folder / "memory.max").write_text(f"{limit}\n")
        (groups / folder / "memory.current").write_text("4000000\n")
    assert cgroup.available_memory_bytes() == 5_000_000


def test_a_system_without_control_groups_has_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "CGROUP_PATH", tmp_path / "none")
    monkeypatch.setattr(cgroup, "MEMBERSHIP_PATH", tmp_path / "none")
    assert (cgroup.cpu_quota(), cgroup.available_memory_bytes()) == (math.inf, math.inf)
    assert available_cpus() >= 1


@pytest.mark.usefixtures("groups", "_many_cpus")
def test_the_number_of_workers_is_limited_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_cpus() == 128
    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        limited = available_cpus()
    assert limited == MAX_WINDOWS_WORKERS


@pytest.mark.usefixtures("_many_cpus")
def test_openmp_threads_spin_briefly_and_keep_to_the_cpu_quota(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*WAIT_VARIABLES, "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "")  # restored after the test
        monkeypatch.delenv(name)
    set_openmp_defaults()
    assert (os.environ.get("GOMP_SPINCOUNT"), os.environ.get("OMP_NUM_THREADS")) == ("1000", None)
    (groups / "cpu.max").write_text("300000 100000\n")
    set_openmp_defaults()
    assert os.environ["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize("name", WAIT_VARIABLES)
def test_openmp_settings_of_the_user_are_kept(name: str, groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in WAIT_VARIABLES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "5")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    (groups / "cpu.max").write_text("100000 100000\n")
    before = dict(os.environ)
    set_openmp_defaults()
    assert dict(os.environ) == before
