"""Training on two nodes: two torchrun agents on this machine, with one process each; killed processes and nodes.

Once, a run with a killed agent did not end within 4 minutes, for an unknown reason; 69 later ones ended, on a machine
with several times as many busy processes as cores. A kill after the other rank has ended is known to lead to a wait of
5 minutes: at the end, torchrun waits for all agents, and admits no new one. `--nnodes 1:2` is not tested here.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from crowdgan_stylegan3.training.checkpoints.training_state import Checkpoint, read_checkpoint
from tests.support.forked_commands import run_command, start_command
from tests.support.recorded_training import READS_ENV_VAR
from tests.support.training import write_dataset

if sys.platform != "linux":
    pytest.skip("reads /proc", allow_module_level=True)

ROOT = Path(__file__).parents[2]

SMALL_RUN = ["--cbase", "64", "--cmax", "8", "--map-depth", "1", "--batch", "4", "--batch-gpu", "2", "--tick", "0.004"]
SMALL_RUN += ["--device", "cpu"]

NUM_STEPS = 16

OPTIONS = [*SMALL_RUN, "--snap", "4", "--kimg", str(0.004 * NUM_STEPS)]

TIMEOUT_S = 240

NUM_COMPARED_STEPS = 4
"""Steps after which ranks and one process are compared: Adam amplifies rounding, on some CPUs to 1 % after 16 steps."""

TOLERANCE = 1e-4
"""Relative tolerance of weights, as of gradients: ranks add up gradients in another order."""

NUM_IMAGES = 24

RECORDED_TRAINING = ROOT / "tests" / "support" / "recorded_training.py"


@dataclass
class Node:
    """A torchrun agent, which stands for a machine."""

    process: subprocess.Popen[bytes]
    stderr: Path

    def workers(self) -> list[int]:
        """Identifiers of the training processes of the node."""
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def send_signal(self, number: int) -> None:
        """Sends a signal to the agent and its training processes."""
        for pid in (self.process.pid, *self.workers()):
            os.kill(pid, number)

    def kill(self) -> None:
        """Kills the agent and its training processes, like a power failure."""
        self.send_signal(signal.SIGKILL)
        self.process.wait()

    def exit_code(self, timeout_s: float) -> int:
        """Exit code of the agent; after the timeout, all its processes write their stacks to stderr and end."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.send_signal(signal.SIGABRT)
            return self.process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Cluster:
    """Nodes that train together."""

    folder: Path
    """Folder of the messages of all nodes."""
    port: int = field(default_factory=free_port)
    nodes: list[Node] = field(default_factory=list)

    def start(self, agent: list[str], *arguments: object, **environment: str) -> None:
        """Adds a node that runs `crowdgan train stylegan3` in one process."""
        command = [sys.executable, "-m", "torch.distributed.run", *agent, "train", "stylegan3", *map(str, arguments)]
        variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1", **environment}
        messages = self.folder / f"{len(list(self.folder.iterdir()))}"
        with messages.open("wb") as stderr:
            self.nodes.append(Node(subprocess.Popen(command, stderr=stderr, env=variables), messages))

    def start_elastic(self, number: int, *arguments: object, main: int = 1) -> None:
        """Adds a node whose processes are restarted.

        Node 0 hosts the rendezvous; node `main` has rank 0, since torchrun orders nodes by address.
        """
        agent = ["--nnodes", "2", "--nproc-per-node", "1", "--max-restarts", "3"]
        agent += ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{self.port}"]
        agent += ["--rdzv-conf", f"is_host={int(number == 0)}"]
        agent += ["--local-addr", f"127.0.0.{1 if number == main else 2}", "-m", "crowdgan_core"]
        self.start(agent, *arguments, TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1", LOGLEVEL="INFO")

    def wait_for_checkpoint(self, outdir: Path) -> None:
        """Waits until a run below `outdir` has a checkpoint."""
        deadline = time.monotonic() + TIMEOUT_S
        while not list(outdir.glob("*/checkpoint.safetensors")):
            running = [node.process.poll() is None for node in self.nodes]
            assert all(running), [node.stderr.read_text() for node in self.nodes]
            assert time.monotonic() < deadline, f"no checkpoint after {TIMEOUT_S} s"
            time.sleep(0.002)

    def wait(self) -> list[str]:
        """Waits for a successful end of all nodes, and returns the messages of each."""
        deadline = time.monotonic() + TIMEOUT_S
        codes = [node.exit_code(max(0.0, deadline - time.monotonic())) for node in self.nodes]
        messages = [node.stderr.read_text() for node in self.nodes]
        assert codes == [0] * len(codes), "\n".join(messages)
        return messages


@contextmanager
def started_cluster() -> Iterator[Cluster]:
    """Context of nodes, which are ended with it."""
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder))
        try:
            yield cluster
        finally:
            for node in cluster.nodes:
                if node.process.poll() is None:
                    node.kill()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "crowds.zip", NUM_IMAGES)


@pytest.fixture(scope="module")
def uninterrupted(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of two nodes in `0/`; the node of rank 1 has its own `--outdir`, `1`, and copy of the dataset.

    It also has the file `reads`, and the messages of the nodes in `stderr0` and `stderr1`.
    """
    folder = tmp_path_factory.mktemp("uninterrupted")
    environment = {
        READS_ENV_VAR: str(folder / "reads"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    with started_cluster() as cluster:
        for rank in ("0", "1"):
            agent = ["--nnodes", "2", "--nproc-per-node", "1", "--node-rank", rank]
            agent += ["--master-addr", "127.0.0.1", "--master-port", str(cluster.port)]
            data = shutil.copy(dataset, folder / f"crowds{rank}.zip")
            arguments = ["--outdir", folder / rank, "--data", data, *OPTIONS, "--workers", 0]
            cluster.start([*agent, str(RECORDED_TRAINING)], *arguments, **environment)
        for index, messages in enumerate(cluster.wait()):
            (folder / f"stderr{index}").write_text(messages)
    return folder


def checkpoint_in(outdir: Path) -> Checkpoint:
    (path,) = outdir.glob("*/checkpoint.safetensors")
    return read_checkpoint(path)


def stats_kimg(outdir: Path) -> list[float]:
    """Thousands of images at the lines of `stats.jsonl`."""
    (path,) = outdir.glob("*/stats.jsonl")
    return [json.loads(line)["Progress/kimg"]["mean"] for line in path.read_text().splitlines()]


def assert_equal_runs(one: Path, other: Path) -> None:
    """Checks that progress and all tensors of the checkpoints of two runs are equal, bit for bit."""
    first, second = checkpoint_in(one), checkpoint_in(other)
    assert first.progress == second.progress
    tensors = second.tensors("")
    assert [name for name, tensor in first.tensors("").items() if not torch.equal(tensor, tensors[name])] == []
    assert stats_kimg(one) == stats_kimg(other) == pytest.approx([0.004 * step for step in range(1, NUM_STEPS + 1)])


def test_ranks_read_disjoint_images_which_are_together_those_of_one_process(uninterrupted: Path) -> None:
    lines = [tuple(map(int, line.split())) for line in (uninterrupted / "reads").read_text().splitlines()]
    shown = 4 * NUM_STEPS
    for rank in (0, 1):
        assert sum(line[0] == rank for line in lines) == shown // 2
    assert shown == 2 * NUM_IMAGES + 16
    counts = Counter(index for _, index in lines)
    assert sorted(counts) == list(range(NUM_IMAGES))
    assert sorted(counts.values()) == [2] * 8 + [3] * 16  # two passes, and a part of the third
    first_pass = [[index for rank, index in lines if rank == number][: NUM_IMAGES // 2] for number in (0, 1)]
    assert sorted(first_pass[0] + first_pass[1]) == list(range(NUM_IMAGES))


def test_only_rank_0_writes_files_and_messages(uninterrupted: Path) -> None:
    assert not (uninterrupted / "1").exists()
    assert (uninterrupted / "stderr1").read_text().strip() == ""
    messages = (uninterrupted / "stderr0").read_text()
    assert "stylegan3-t on 2 x cpu" in messages
    assert messages.count("sample grid of the dataset: reals.png") == messages.count("done, 0.064 kimg") == 1


def run_ranks(arguments: list[list[object]], *, code: int, **environment: str) -> list[str]:
    """Runs `crowdgan train stylegan3` on one rank per list; checks the exit codes, and returns stderr of each rank."""
    variables = {"WORLD_SIZE": str(len(arguments)), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    ranks = [
        start_command("train", "stylegan3", *given, env={**os.environ, **variables, **environment, "RANK": str(rank)})
        for rank, given in enumerate(arguments)
    ]
    messages = [rank.communicate(TIMEOUT_S)[1] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [code] * len(ranks), messages
    return messages


def test_two_ranks_have_the_weights_of_one_process(dataset: Path, tmp_path: Path) -> None:
    arguments = ["--data", dataset, *SMALL_RUN, "--snap", "4", "--kimg", 0.004 * NUM_COMPARED_STEPS, "--workers", 0]
    run = run_command("train", "stylegan3", "--outdir", tmp_path / "one", *arguments)
    assert run.returncode == 0, run.stderr
    run_ranks([["--outdir", tmp_path / "two", *arguments]] * 2, code=0)
    single, distributed = checkpoint_in(tmp_path / "one"), checkpoint_in(tmp_path / "two")
    assert single.progress == distributed.progress
    tensors = distributed.tensors("")
    assert tensors.keys() == single.tensors("").keys()
    for name, tensor in single.tensors("").items():
        scale = float(tensor.abs().max())
        assert torch.allclose(tensor, tensors[name], rtol=TOLERANCE, atol=TOLERANCE * scale), name
    assert stats_kimg(tmp_path / "one") == stats_kimg(tmp_path / "two")


def error_line(messages: list[str]) -> str:
    """The error, which rank 0 alone prints."""
    assert messages[1:] == [""] * (len(messages) - 1)
    (line,) = (line for line in messages[0].splitlines() if line.startswith("crowdgan: error: "))
    return line.removeprefix("crowdgan: error: ")


HOST = socket.gethostname()


def test_a_dataset_that_one_node_lacks_is_an_error_of_all_ranks(dataset: Path, tmp_path: Path) -> None:
    options = ["--outdir", tmp_path / "runs", *OPTIONS]
    messages = run_ranks([["--data", dataset, *options], ["--data", tmp_path / "no.zip", *options]], code=1)
    assert error_line(messages) == f"rank 1 on {HOST}: {tmp_path / 'no.zip'}: no such file or folder"
    assert not (tmp_path / "runs").exists()


def test_different_datasets_on_the_nodes_are_an_error(dataset: Path, tmp_path: Path) -> None:
    options = ["--outdir", tmp_path / "runs", *OPTIONS]
    smaller = write_dataset(tmp_path / "crowds.zip", NUM_IMAGES - 1)
    messages = run_ranks([["--data", dataset, *options], ["--data", smaller, *options]], code=1)
    assert error_line(messages) == f"rank 1 on {HOST}: the number of images in --data is 23; on rank 0 it is 24"
    assert not (tmp_path / "runs").exists()


def test_a_node_without_the_run_folder_resumes_it_but_not_the_main_node(uninterrupted: Path, tmp_path: Path) -> None:
    shutil.copytree(uninterrupted / "0", tmp_path / "0")
    options = ["--data", uninterrupted / "crowds0.zip", *SMALL_RUN, "--snap", "4", "--kimg", 0.004 * (NUM_STEPS + 1)]
    with_run, without = ["--outdir", tmp_path / "0", *options], ["--outdir", tmp_path / "1", *options]
    (run,) = (tmp_path / "0").iterdir()
    messages = run_ranks([without, with_run], code=1)
    assert error_line(messages) == (
        f"rank 1 on {HOST}: {run / 'checkpoint.safetensors'} has 0.064 kimg; rank 0 has 0 kimg of this run; "
        "use an --outdir that all machines share, or copy the run folder to the machine of rank 0"
    )
    assert not (tmp_path / "1").exists()
    messages = run_ranks([with_run, without], code=0)
    assert "resuming from checkpoint.safetensors at 0.064 kimg" in messages[0]
    assert not (tmp_path / "1").exists()
    by_folder = ["--resume", run, "--kimg", 0.004 * (NUM_STEPS + 2)]
    other_name = ["--resume", tmp_path / "1", "--data", uninterrupted / "crowds1.zip"]
    messages = run_ranks([by_folder, other_name], code=0)
    assert "resuming from checkpoint.safetensors at 0.068 kimg" in messages[0]


def test_a_finished_run_succeeds_if_processes_are_restarted(uninterrupted: Path) -> None:
    arguments: list[object] = ["--outdir", uninterrupted / "0", "--data", uninterrupted / "crowds0.zip", *OPTIONS]
    assert "this run finished at 0.064 kimg" in error_line(run_ranks([arguments] * 2, code=1))
    messages = run_ranks([arguments] * 2, code=0, TORCHELASTIC_MAX_RESTARTS="3")
    assert "nothing is left to do: " in messages[0]


def test_a_killed_process_restarts_all_from_the_checkpoint(uninterrupted: Path, dataset: Path, tmp_path: Path) -> None:
    arguments = ["--outdir", tmp_path, "--data", dataset, *OPTIONS, "--workers", 1]
    with started_cluster() as cluster:
        for number in (0, 1):
            cluster.start_elastic(number, *arguments)
        cluster.wait_for_checkpoint(tmp_path)
        (main,) = cluster.nodes[1].workers()
        os.kill(main, signal.SIGKILL)
        survivor, killed = cluster.wait()
    assert f"crowdgan: error: rank 1 on {HOST}: another rank has ended" in survivor
    assert "resuming from checkpoint.safetensors at 0.0" in killed
    assert_equal_runs(tmp_path, uninterrupted / "0")


@pytest.mark.slow
def test_a_killed_node_that_is_started_again_continues_the_run(
    uninterrupted: Path, dataset: Path, tmp_path: Path
) -> None:
    arguments = ["--outdir", tmp_path, "--data", dataset, *OPTIONS, "--workers", 0]
    with started_cluster() as cluster:
        for number in (0, 1):
            cluster.start_elastic(number, *arguments)
        cluster.wait_for_checkpoint(tmp_path)
        cluster.nodes.pop().kill()
        assert checkpoint_in(tmp_path).nimg < 4 * NUM_STEPS, "the node was killed too late: the run had ended"
        cluster.start_elastic(1, *arguments)
        survivor, restarted = cluster.wait()
    assert f"crowdgan: error: rank 1 on {HOST}: another rank has ended" in survivor
    assert "resuming from checkpoint.safetensors at 0.0" in restarted
    assert_equal_runs(tmp_path, uninterrupted / "0")


@pytest.mark.slow
def test_a_termination_signal_to_both_agents_writes_a_checkpoint(
    uninterrupted: Path, dataset: Path, tmp_path: Path
) -> None:
    arguments = ["--outdir", tmp_path, "--data", dataset, *OPTIONS[:-1], 100]
    with started_cluster() as cluster:
        for number in (0, 1):
            cluster.start_elastic(number, *arguments)
        cluster.wait_for_checkpoint(tmp_path)
        for node in cluster.nodes:
            node.process.send_signal(signal.SIGTERM)
        assert all(node.process.wait(TIMEOUT_S) != 0 for node in cluster.nodes)
        messages = cluster.nodes[1].stderr.read_text()
    kimg = checkpoint_in(tmp_path).nimg / 1000
    assert f"stopped at {kimg:g} kimg; resume with the same command" in messages
    assert stats_kimg(tmp_path)[-1] == kimg


@pytest.mark.slow
def test_a_node_that_is_no_longer_reached_is_replaced(uninterrupted: Path, dataset: Path, tmp_path: Path) -> None:
    arguments = ["--outdir", tmp_path, "--data", dataset, *OPTIONS, "--workers", 0]
    with started_cluster() as cluster:
        for number in (0, 1):
            cluster.start_elastic(number, *arguments, main=0)
        cluster.wait_for_checkpoint(tmp_path)
        lost = cluster.nodes.pop()
        lost.send_signal(signal.SIGSTOP)  # like a machine without a network: connections stay open
        cluster.start_elastic(1, *arguments, main=0)
        messages, _ = cluster.wait()
        lost.send_signal(signal.SIGKILL)
        lost.process.wait()
    assert "resuming from checkpoint.safetensors at 0.0" in messages
    assert_equal_runs(tmp_path, uninterrupted / "0")
