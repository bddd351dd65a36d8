"""Where the runs of a study run: in processes of this machine, or on the machines of a Ray cluster."""

import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..extras import require
from ..files import write_json
from .plan import CELL, RESULT, Cell

_LOG = "log.txt"
_CONNECT_SECONDS = 10

Done = Callable[[Cell], None]
Say = Callable[[str], None]


def run_locally(folder: Path, cells: Sequence[Cell], workers: int, done: Done, say: Say) -> None:
    """Runs cells in processes of this machine; a killed run goes on at its last checkpoint.

    Args:
        folder: Gets a folder a run, with its result and log.
        cells: The runs.
        workers: Processes side by side on each GPU, or on the CPU, where they share out the cores.
        done: Called after each run.
        say: Called with what the run at hand prints.

    Raises:
        UserError: If a run stops for a reason that is not its own settings'.
    """
    todo: queue.SimpleQueue[Cell] = queue.SimpleQueue()
    for cell in cells:
        todo.put(cell)
    failures: list[str] = []
    threads = [
        threading.Thread(target=_worker, args=(folder, todo, place, done, say, failures), daemon=True)
        for place in _places(workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise UserError(failures[0])


def run_on_ray(folder: Path, cells: Sequence[Cell], workers: int, done: Done, say: Say) -> None:
    """Runs cells on a Ray cluster: that of `RAY_ADDRESS`, or one started on this machine.

    Each run takes a GPU where the cluster has any, else the cores of a machine, or its share of them, and starts over
    if it is lost. Only its result travels: backbone and data must lie under the same paths on every machine.

    Args:
        folder: Gets a folder a run, with its result.
        cells: The runs.
        workers: Runs side by side on each GPU, or on each machine where there is none.
        done: Called after each run.
        say: Called with what is going on.

    Raises:
        UserError: As `run_locally`.
    """
    ray = require("ray", "ray", "`engine` ray")
    started = not ray.is_initialized()
    if started:
        _connect(ray)
    try:
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = sum(machine.get("GPU", 0) for machine in machines)
        # A head node may offer no cores at all.
        cores = min(machine["CPU"] for machine in machines if machine.get("CPU"))
        say(f"{len(machines)} machines, {gpus:.0f} GPUs")
        # max_calls: a process of its own for each run, so that its peak memory is its own.
        share = {"num_cpus": 1, "num_gpus": 1 / workers} if gpus else {"num_cpus": max(1, cores // workers)}
        remote = ray.remote(**share, max_calls=1)(_run_remotely)
        running = {remote.remote(asdict(cell), str(Path.cwd())): cell for cell in cells}
        while running:
            (finished,), _ = ray.wait(list(running))
            cell = running.pop(finished)
            try:
                row = ray.get(finished)
            except ray.exceptions.RayError as error:
                reason = str(error).strip().splitlines()[-1]
                raise UserError(f"{cell.name}: the run stopped on Ray ({reason}); mend it and run again") from error
            write_json(folder / cell.name / CELL, asdict(cell))
            write_json(folder / cell.name / RESULT, row)
            done(cell)
    finally:
        if started:
            ray.shutdown()


def _connect(ray: Any) -> None:
    address = os.environ.get("RAY_ADDRESS", "")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if port.isdigit():
            # Ray itself tries an address where nothing listens for many minutes.
            socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
        ray.init(log_to_driver=False, include_dashboard=False, configure_logging=False)
    except (OSError, ray.exceptions.RayError) as error:
        raise UserError(
            f"`engine` ray: no cluster at RAY_ADDRESS={address} ({error}); start it, or unset it"
        ) from error


def _run_remotely(cell: dict[str, Any], folder: str) -> dict[str, Any]:
    # The heavy part, which a refused study need not wait for.
    from .work import run_cell

    # Relative paths in the settings are relative to where the study was started.
    os.chdir(folder)
    with tempfile.TemporaryDirectory(prefix="lrc-run-") as scratch:
        return run_cell(Path(scratch), Cell(**cell)).to_json()


ENGINES: dict[str, Callable[[Path, Sequence[Cell], int, Done, Say], None]] = {"local": run_locally, "ray": run_on_ray}


@dataclass(frozen=True)
class _Place:
    """Where a run goes: a CUDA device, or some of the cores."""

    device: str | None = None
    cores: frozenset[int] = frozenset()

    def environment(self) -> dict[str, str]:
        if self.device is not None:
            return {**os.environ, "CUDA_VISIBLE_DEVICES": self.device}
        return {**os.environ, "OMP_NUM_THREADS": str(len(self.cores))} if self.cores else dict(os.environ)


def _places(workers: int) -> list[_Place]:
    import torch

    if torch.cuda.is_available():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = visible.split(",") if visible else [str(index) for index in range(torch.cuda.device_count())]
        return [_Place(name) for name in names for _ in range(workers)]
    if workers == 1:
        return [_Place()]
    # Threads of processes that share cores wait for each other; a core of one's own costs nothing.
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    if workers > len(cores):
        raise UserError(f"`workers` {workers}: this machine lends {len(cores)} cores; take no more workers than that")
    return [_Place(cores=frozenset(cores[worker::workers])) for worker in range(workers)]


def _worker(
    folder: Path, todo: "queue.SimpleQueue[Cell]", place: _Place, done: Done, say: Say, failures: list[str]
) -> None:
    while not failures:
        try:
            cell = todo.get_nowait()
        except queue.Empty:
            return
        own = folder / cell.name
        write_json(own / CELL, asdict(cell))
        with (own / _LOG).open("a", encoding="utf-8", buffering=1) as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "lrc.study.work", str(own)],
                env=place.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
            )
            try:
                if place.cores and hasattr(os, "sched_setaffinity"):
                    os.sched_setaffinity(process.pid, place.cores)
                assert process.stdout is not None
                for line in process.stdout:
                    log.write(line)
                    say(f"{cell.name}: {line.strip()[:60]}")
                process.wait()
            finally:
                process.kill()
        if process.returncode or not (own / RESULT).is_file():
            failures.append(
                f"{own / _LOG}: the run stopped (exit code {process.returncode}); mend what it names and run again"
            )
            return
        done(cell)
