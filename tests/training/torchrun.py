"""Modules of the tests in two processes that train or evaluate together."""

import os
import subprocess
import sys


def two_ranks(module: str, *arguments: object) -> None:
    """Runs a module by torchrun, until both of its processes have ended well."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *launch, "-m", module, *map(str, arguments)]
    # Two processes need two GPUs, which a machine need not have.
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
