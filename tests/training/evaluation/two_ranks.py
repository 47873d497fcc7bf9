"""Two processes that evaluate together, for :mod:`tests.training.evaluation.test_command`.

``torchrun --nproc-per-node 2 -m tests.training.evaluation.two_ranks RUN DATA RUNS OUT``, of which
the first process alone has the run folders.
"""

import os
import sys
from pathlib import Path

import pytest

from tests.training.evaluation.conftest import Evaluated, knowing


def main(run: str, data: str, runs: str, out: str) -> None:
    """Evaluates as a user would, with the command."""
    if os.environ["RANK"] != "0":
        run = runs = str(Path(out) / "nothing")
    evaluated = Evaluated(Path(data), Path(runs), Path(out), {})
    with pytest.MonkeyPatch.context() as patch:
        knowing(patch)
        result = evaluated.evaluate(run, "--out", out)
    assert result.exit_code == 0, result.output


if __name__ == "__main__":
    main(*sys.argv[1:])
