"""What a process has used, from /proc: the most memory it ever held, and processor time; and what strangers used.

Two cores that are shared can turn any ratio round: the limit once came out at 35,000 records/s instead of 85,000
because somebody else was busy while it ran, and FSN seemed to reach 70 % of it. So every run is told how much
processor time others had meanwhile. Linux only, like the figures.
"""

import os
import resource
import time
from pathlib import Path
from typing import Self

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def peak_rss_mb(pid: int) -> float:
    """VmHWM: the largest resident size so far, in MB (2^20 bytes)."""
    return _status_mb(pid, "VmHWM")


def rss_mb(pid: int) -> float:
    """VmRSS: the resident size now, in MB (2^20 bytes)."""
    return _status_mb(pid, "VmRSS")


def _status_mb(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"/proc/{pid}/status names no {field}")


def cpu_seconds(pid: int) -> float:
    """User and system time so far, all threads."""
    # The command's name stands in parentheses and may hold spaces: fields count from behind it.
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def thread_seconds(pid: int, name: str) -> float:
    """The part of it that those threads used whose names hold this word; ended threads are forgotten."""
    ticks = 0
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        before, _, after = path.read_text("utf-8").rpartition(")")
        if name in before:
            ticks += sum(map(int, after.split()[11:13]))
    return ticks / TICKS_PER_S


def cpu_percent(pids: dict[str, int], seconds: float) -> dict[str, float]:
    """Shares of one core that these processes use over the next seconds."""
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    started = time.perf_counter()
    time.sleep(seconds)
    took = time.perf_counter() - started
    return {name: round((cpu_seconds(pid) - before[name]) / took * 100, 2) for name, pid in pids.items()}


class Strangers:
    """Cores that were busy with neither this process nor its ended children, nor idle, while the block ran."""

    cores = 0.0

    def __enter__(self) -> Self:
        self._started, self._busy, self._own = time.perf_counter(), _busy_seconds(), _own_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        took = time.perf_counter() - self._started
        foreign = (_busy_seconds() - self._busy) - (_own_seconds() - self._own)
        self.cores = round(max(0.0, foreign / took), 2)


def _busy_seconds() -> float:
    """Of all cores, whoever used them; time stolen by the hypervisor counts as used by others."""
    user, nice, system, _, _, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text("utf-8").splitlines()[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_S


def _own_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
