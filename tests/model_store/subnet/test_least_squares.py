"""Nonnegative least squares by its optimality conditions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.subnet.least_squares import nonnegative


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 12))
def test_the_solution_meets_the_karush_kuhn_tucker_conditions(
    seed: int, samples: int, features: int
) -> None:
    rng = np.random.default_rng(seed)
    a_SF, b_S = rng.normal(size=(samples, features)), rng.normal(size=samples)
    x_F = nonnegative(a_SF, b_S)
    gradient_F = a_SF.T @ (a_SF @ x_F - b_S)
    assert np.all(x_F >= 0)
    assert np.all(gradient_F >= -1e-6), "no coefficient would help if it grew"
    assert np.abs(gradient_F * x_F).max() < 1e-6, "none in use would help if it moved"


def test_exact_data_gives_the_exact_coefficients() -> None:
    a_SF = np.random.default_rng(0).random((20, 4)) * [1.0, 1e9, 1e3, 1.0]
    expected_F = np.array([2.0, 3e-9, 0.0, 0.5])
    assert nonnegative(a_SF, a_SF @ expected_F) == pytest.approx(expected_F, rel=1e-6, abs=1e-9)


def test_columns_of_zeros_and_doubles_do_no_harm() -> None:
    column = np.arange(1.0, 6.0)
    a_SF = np.stack([column, np.zeros(5), column], axis=1)
    x_F = nonnegative(a_SF, 3.0 * column)
    assert x_F[1] == 0.0
    assert x_F[0] + x_F[2] == pytest.approx(3.0)
