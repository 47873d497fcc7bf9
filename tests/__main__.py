"""Everything that must hold before a change lands: ``python -m tests``."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

CHECKS = {
    "lint": [str(BIN / "ruff"), "check", "."],
    "format": [str(BIN / "ruff"), "format", "--check", "."],
    "imports": [str(BIN / "lint-imports"), "--no-cache"],
    "types": [str(BIN / "mypy")],
    # A file's tests share what they set up.
    "tests": [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile"],
}
# Threads that wait for each other on cores that two processes share take many times as long.
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def main() -> int:
    """Runs every check, even after one has failed, and says which did."""
    failed: list[str] = []
    for name, command in CHECKS.items():
        started = time.monotonic()
        print(f"== {name}: {Path(command[0]).name}", flush=True)
        extra = sys.argv[1:] if name == "tests" else []
        if subprocess.run([*command, *extra], cwd=ROOT, env=ENVIRONMENT, check=False).returncode:
            failed.append(name)
        print(f"== {name}: {time.monotonic() - started:.0f} s", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
