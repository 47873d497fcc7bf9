"""What sub-networks learn from the SuperNet."""

import pytest
import torch

from training.distillation import ci_kd


def test_ci_kd_compares_features_averaged_over_channels() -> None:
    """Eq. 3: means 2 and 4 against 5 and 4 at two positions: (9 + 0) / 2."""
    child_NCHW = torch.tensor([[4.0, 2.0], [5.0, 3.0], [6.0, 7.0]]).view(1, 3, 1, 2)
    z_NCHW = torch.tensor([[1.0, 5.0], [3.0, 3.0]]).view(1, 2, 1, 2)
    assert ci_kd(z_NCHW, child_NCHW).item() == pytest.approx(9 / 2)
