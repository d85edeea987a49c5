"""Runs `crowdgan train` in processes that are forked from one with PyTorch imported, which saves seconds per command.

A forked command is a process of its own, with its own output, signals and exit code. Tests of the start of the program
run `python -m crowdgan_core` instead, and so do those of commands with a pool of processes, which would import PyTorch.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

PRELOADED = (
    "crowdgan_core.cli.app",
    "crowdgan_stylegan3.inference.image_generator",
    "crowdgan_stylegan3.training.api",
    "torch._dynamo",
    "torch.utils.tensorboard",
)
"""Modules that are imported before commands are forked; those that are not installed are left out."""

OUTPUT_FILES = ("stdout", "stderr")


class Request(NamedTuple):
    """A command that is started in a forked process."""

    arguments: tuple[str, ...]
    environment: dict[str, str]
    output: str
    """Folder of the files that receive stdout and stderr."""
    new_session: bool


@dataclass
class Command:
    """A running or finished command, with the interface of `subprocess.Popen`."""

    pid: int
    _server: Server
    _output: Path
    returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or minus the number of the signal that ended it; None if it is running."""
        if self.returncode is None:
            self.returncode = self._server.exit_code(self.pid, timeout_s=0)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """The exit code as for `poll`, after at most `timeout` seconds."""
        if self.returncode is None:
            self.returncode = self._server.exit_code(self.pid, timeout_s=timeout)
        if self.returncode is None:
            self.kill()
            raise subprocess.TimeoutExpired(["crowdgan"], timeout)
        return self.returncode

    def communicate(self, timeout: float = 240) -> tuple[str, str]:
        """Stdout and stderr, once the command has ended."""
        self.wait(timeout)
        stdout, stderr = ((self._output / name).read_text() for name in OUTPUT_FILES)
        return stdout, stderr

    def send_signal(self, number: int) -> None:
        """Sends a signal to the command."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kills the command."""
        self.send_signal(signal.SIGKILL)


def start_command(*arguments: object, env: Mapping[str, str] | None = None, start_new_session: bool = False) -> Command:
    """Starts `crowdgan` with arguments, in a forked process; `env` is by default the environment of this process."""
    output = Path(tempfile.mkdtemp(dir=server().folder))
    environment = dict(os.environ if env is None else env)
    pid = server().start(Request(tuple(map(str, arguments)), environment, str(output), start_new_session))
    return Command(pid, server(), output)


def run_command(
    *arguments: object, env: Mapping[str, str] | None = None, timeout: float = 240
) -> subprocess.CompletedProcess[str]:
    """Runs `crowdgan` with arguments, in a forked process, and returns its output and exit code."""
    command = start_command(*arguments, env=env)
    stdout, stderr = command.communicate(timeout)
    return subprocess.CompletedProcess(["crowdgan", *map(str, arguments)], command.wait(0), stdout, stderr)


@dataclass
class Server:
    """The process from which commands are forked; it ends with this process."""

    connection: Connection
    process: subprocess.Popen[bytes]
    folder: str
    """Folder of the output of the commands."""
    _exit_codes: dict[int, int] = field(default_factory=dict)

    def start(self, request: Request) -> int:
        """Starts a command and returns the identifier of its process."""
        self.connection.send(tuple(request))
        while isinstance(message := self.connection.recv(), tuple):
            self._exit_codes[message[0]] = message[1]
        return int(message)

    def exit_code(self, pid: int, *, timeout_s: float) -> int | None:
        """Exit code of a command, after at most `timeout_s` seconds; None if it is still running."""
        deadline = time.monotonic() + timeout_s
        while pid not in self._exit_codes and self.connection.poll(max(0.0, deadline - time.monotonic())):
            ended, code = self.connection.recv()
            self._exit_codes[ended] = code
        return self._exit_codes.get(pid)

    def stop(self) -> None:
        """Ends the server and removes the output of the commands."""
        self.connection.close()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@lru_cache(maxsize=1)
def server() -> Server:
    """The server of this test process, started when the first command is."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, __file__, str(theirs.fileno())]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment, start_new_session=True)
    theirs.close()
    started = Server(Connection(ours.detach()), process, tempfile.mkdtemp(prefix="commands-"))
    atexit.register(started.stop)
    return started


def serve(connection: Connection) -> Request | None:
    """Forks a process per request and reports exit codes; returns in each process its request, and None at the end."""
    wakeup, wakeup_end = socket.socketpair()
    for end in (wakeup, wakeup_end):
        end.setblocking(False)
    signal.set_wakeup_fd(wakeup_end.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        if connection in wait([connection, wakeup]):
            try:
                request = Request(*connection.recv())
            except EOFError:
                return None
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for end in (connection, wakeup, wakeup_end):
                    end.close()
                return request
            connection.send(pid)
        else:
            wakeup.recv(4096)
        for exit_status in ended_processes():
            connection.send(exit_status)


def ended_processes() -> Iterator[tuple[int, int]]:
    """Identifiers and exit codes of forked processes that have ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def run_request(request: Request) -> None:
    """Becomes the command of a request: replaces environment, arguments and output, and runs `crowdgan`."""
    if request.new_session:
        os.setsid()
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = ["crowdgan", *request.arguments]
    paths = (os.devnull, *(str(Path(request.output) / name) for name in OUTPUT_FILES))
    for target, (path, flags) in enumerate(zip(paths, (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2), strict=True)):
        opened = os.open(path, flags)
        os.dup2(opened, target)
        os.close(opened)
    from crowdgan_core.cli import main

    code: object = None
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)  # the interpreter would destroy all preloaded modules, for seconds


def preload() -> None:
    """Imports the modules of `PRELOADED`."""
    import importlib
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in PRELOADED:
            with suppress(ModuleNotFoundError):
                importlib.import_module(name)


if __name__ == "__main__":
    preload()
    if (forked := serve(Connection(int(sys.argv[1])))) is not None:
        run_request(forked)
