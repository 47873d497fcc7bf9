"""How many cores this process may use: its CPU set, and its container's CPU quota.

``os.cpu_count`` tells those of the machine; a container with a quota of two on 64 cores would be
throttled for most of every scheduling period (onnxruntime#29510).
"""

import os
from pathlib import Path, PurePosixPath

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """The cores that this process may keep busy, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        affinity = len(os.sched_getaffinity(0))
    else:
        affinity = os.cpu_count() or 1
    try:
        groups = _OWN_GROUPS.read_text()
    except OSError:  # no Linux
        return affinity
    return cores(affinity, quota(groups, _CGROUP_ROOT))


def cores(affinity: int, cpus: float | None) -> int:
    """Whole cores within both limits, at least 1.

    A quota is rounded down: one thread more than it allows would be stopped at the end of every
    period, in the middle of somebody's prediction.
    """
    return affinity if cpus is None else max(1, min(affinity, int(cpus)))


def quota(groups: str, root: Path) -> float | None:
    """The CPUs that control groups allow; None where there is no limit.

    Args:
        groups: the content of ``/proc/self/cgroup``.
        root: where the control groups are mounted; version 2, or version 1 with one folder per
            controller.
    """
    found: list[float] = []
    for line in groups.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:  # version 2
            found += [q for p in _upwards(root, path) if (q := _version_2(p)) is not None]
        elif "cpu" in controllers.split(","):
            for name in (controllers, "cpu"):
                folders = _upwards(root / name, path)
                found += [q for p in folders if (q := _version_1(p)) is not None]
    return min(found, default=None)


def _upwards(root: Path, path: str) -> tuple[Path, ...]:
    """A group's folder and those above it: any of them may have a limit.

    In a container the path is often that on the host, which is not mounted: then the mounted root
    is the container's own group.
    """
    inside = PurePosixPath(path.lstrip("/"))
    if ".." in inside.parts:
        return (root,)
    return tuple(root / p for p in (inside, *inside.parents))


def _version_2(folder: Path) -> float | None:
    most, _, period = _read(folder / "cpu.max").partition(" ")
    return _ratio(most, period)


def _version_1(folder: Path) -> float | None:
    return _ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _ratio(most: str, period: str) -> float | None:
    """``max`` (version 2) and -1 (version 1) are no limit; nor is what cannot be read."""
    if most.isdigit() and period.isdigit() and int(period):
        return int(most) / int(period)
    return None


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
