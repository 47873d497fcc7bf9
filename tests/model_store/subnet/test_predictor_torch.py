"""The accuracy predictor against a torch network of the same layers (ECMT Algorithm 3)."""

import numpy as np
import torch

from model_store.subnet.predictor import AccuracyPredictor

GROUPS = 29
TASKS = ["semseg", "depth", "normals"]


class Twin(torch.nn.Module):
    """Algorithm 3, with the heads of all quantities as one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.model = torch.nn.Sequential(
            torch.nn.Linear(GROUPS, 100),
            torch.nn.ReLU(),
            torch.nn.Linear(100, 100),
            torch.nn.ReLU(),
            torch.nn.Linear(100, 50),
            torch.nn.ReLU(),
        )
        self.heads = torch.nn.Linear(50, 2 * len(TASKS))


def test_numpy_predicts_what_torch_does() -> None:
    torch.manual_seed(0)
    twin = Twin()
    mean, std = torch.randn(6), torch.rand(6) + 0.5
    tensors = {name: value.numpy() for name, value in twin.state_dict().items()}
    tensors |= {"targets.mean": mean.numpy(), "targets.std": std.numpy()}
    predictor = AccuracyPredictor.from_tensors(tensors, TASKS, GROUPS)

    ratios_PG = np.random.default_rng(0).uniform(0.5, 1.0, (200, GROUPS))
    with torch.no_grad():
        heads_PQ = twin.heads(twin.model(torch.from_numpy(ratios_PG).float()))
        values_PQ = (heads_PQ * std + mean).numpy()
    losses_PN, metrics_PN = predictor.predict(ratios_PG)
    np.testing.assert_allclose(losses_PN, values_PQ[:, :3], atol=1e-5)
    np.testing.assert_allclose(metrics_PN, values_PQ[:, 3:], atol=1e-5)
    np.testing.assert_allclose(
        predictor.standardised_losses(ratios_PG), heads_PQ[:, :3].numpy(), atol=1e-5
    )
