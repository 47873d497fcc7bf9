"""A server with all its processes: their memory, their processor time, and holding them still."""

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_KB = 1 << 10


@dataclass(frozen=True)
class ProcessTree:
    """A process, its descendants, and a daemon that it may have started."""

    root: int
    daemon: Path | None = None
    """The daemon's file with its process id."""

    def pids(self) -> list[int]:
        """All that are there now."""
        children: dict[int, list[int]] = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and (fields := _stat(int(folder.name))):
                children.setdefault(int(fields[1]), []).append(int(folder.name))
        found, rest = [], [self.root]
        if self.daemon is not None:
            with contextlib.suppress(OSError):
                rest.append(int(self.daemon.read_text()))
        while rest:
            found.append(rest.pop())
            rest += children.get(found[-1], [])
        return found

    def pss_mb(self) -> float:
        """Proportional memory, in 2**20 bytes: what they share counts once."""
        return sum(_pss_kb(pid) for pid in self.pids()) * _KB / (1 << 20)

    def cpu_s(self) -> float:
        """Processor time so far, of those that still run."""
        fields = [_stat(pid) for pid in self.pids()]
        return sum(int(f[11]) + int(f[12]) for f in fields if f) / _TICKS_PER_S

    def send(self, sig: signal.Signals) -> None:
        """A signal to each of them."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)

    def hold(self) -> None:
        """Nobody runs until :meth:`go_on`."""
        self.send(signal.SIGSTOP)

    def go_on(self) -> None:
        """After :meth:`hold`."""
        self.send(signal.SIGCONT)


def _stat(pid: int) -> list[str]:
    """The fields of ``/proc/<pid>/stat`` after the name; empty if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
