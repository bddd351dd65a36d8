"""How many CPUs this process may use: its affinity and the limit of its control group."""

import math
import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def usable_cpus(cgroups: Path = _CGROUPS, own: Path = _OWN) -> int:
    """Counts the CPUs that this process may use.

    A container limited to one and a half CPUs counts as two: threads that wait for the rest of a period are slower than
    fewer that do not, but half a CPU is not left unused.

    Args:
        cgroups: Where control groups are mounted.
        own: Which control group this process is in.

    Returns:
        At least 1.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(affinity, _limit(cgroups, own))))


def _limit(cgroups: Path, own: Path) -> float:
    """Returns the smallest limit of the control group and of those above it; infinity where there is none."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return math.inf
    limits = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = cgroups / controllers if controllers else cgroups
        folder = root / path.lstrip("/")
        # In a container the path may be that of the host, of which only the root is mounted.
        for group in (folder, *folder.parents):
            limits.append(_quota(group))
            if group == root:
                break
    return min(limits, default=math.inf)


def _quota(group: Path) -> float:
    try:
        if (group / "cpu.max").is_file():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text().strip()
            period = (group / "cpu.cfs_period_us").read_text().strip()
        return math.inf if quota in ("max", "-1") else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
