"""The container's CPU limit, read from files as the kernel shows them."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cpu_limit import cores, quota, usable_cores


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


@pytest.mark.parametrize(
    ("files", "groups", "expected"),
    [
        # version 2, in a container: the mounted root is its own group
        ({"cpu.max": "200000 100000\n"}, "0::/\n", 2.0),
        ({"cpu.max": "150000 100000\n"}, "0::/\n", 1.5),
        ({"cpu.max": "max 100000\n"}, "0::/\n", None),
        # the path is that on the host, which is not mounted here
        ({"cpu.max": "300000 100000"}, "0::/kubepods/pod1/abc\n", 3.0),
        # on the host: a group above has a lower limit
        (
            {"a/cpu.max": "100000 100000", "a/b/cpu.max": "400000 100000"},
            "0::/a/b\n",
            1.0,
        ),
        # version 1
        (
            {"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            "5:memory:/x\n4:cpu,cpuacct:/x\n",
            2.5,
        ),
        (
            {
                "cpu,cpuacct/x/cpu.cfs_quota_us": "50000",
                "cpu,cpuacct/x/cpu.cfs_period_us": "100000",
            },
            "4:cpu,cpuacct:/x\n",
            0.5,
        ),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu:/\n", None),
        # nothing there, or nothing that can be read
        ({}, "0::/\n", None),
        ({}, "", None),
        ({"cpu.max": ""}, "0::/\n", None),
        ({"cpu.max": "100000 0"}, "0::/\n", None),
        ({"cpu.max": "200000 100000"}, "0::/../../etc\n", 2.0),
        ({"cpu.max": "200000 100000"}, "nonsense\n:\n0::/\n", 2.0),
    ],
)
def test_quota(files: dict[str, str], groups: str, expected: float | None, tmp_path: Path) -> None:
    assert quota(groups, write(tmp_path, files)) == expected


@pytest.mark.parametrize(
    ("affinity", "cpus", "expected"),
    [(64, 2.0, 2), (64, 1.9, 1), (64, 0.2, 1), (2, 8.0, 2), (4, None, 4)],
)
def test_cores(affinity: int, cpus: float | None, expected: int) -> None:
    assert cores(affinity, cpus) == expected


@given(st.integers(1, 512), st.none() | st.floats(0.01, 1000))
def test_both_limits_hold(affinity: int, cpus: float | None) -> None:
    found = cores(affinity, cpus)
    assert 1 <= found <= affinity
    assert cpus is None or found <= max(1.0, cpus)


def test_this_machine() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
