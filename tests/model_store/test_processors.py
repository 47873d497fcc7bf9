"""One request, one answer, whatever the processor: BLAS has other kernels for each."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import numpy as np
from model_store.published import ModelStore, default_root
from model_store.subnetwork import SubnetRequest, choose

rng = np.random.default_rng(0)
for name in ("rooms", "caltech100"):
    model = ModelStore(default_root()).open(name)
    tasks, least, most = model.space.tasks, model.space.smallest(), model.space.largest()
    for _ in range(20):
        budget = rng.uniform(1.01 * model.cost.of(least), model.cost.of(most)) / 1e9
        preference = dict(zip(tasks, rng.dirichlet(np.full(len(tasks), 0.5)).tolist()))
        choice = choose(model, SubnetRequest.of(model, budget, preference))
        print(choice.subnet_id, choice.predicted)
"""


def answers(processor: str | None) -> list[str]:
    kernel = {} if processor is None else {"OPENBLAS_CORETYPE": processor}
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"} | kernel
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, env=environment
    )
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def here() -> list[str]:
    return answers(None)


@pytest.mark.parametrize("processor", ["Haswell", "Prescott"])
def test_shipped_models_answer_alike_on_another_processor(processor: str, here: list[str]) -> None:
    assert len(here) == 40
    assert answers(processor) == here
