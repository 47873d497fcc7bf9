"""Everything that a run goes on from: what its checkpoint holds."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from training import checkpoint
from training.averages import Averages
from training.data.source import Source
from training.pretrained import check_started
from training.ranks import Ranks
from training.recipe import Recipe
from training.supernet import SuperNet

PARTS = ("seed", "network", "training")
"""What of a recipe a resumed run must share with the run it continues."""


def check(recipe: Recipe, part: str, state: dict[str, Any], path: Path) -> None:
    """Compares a part of a recipe with that of a checkpoint.

    Raises:
        ValueError: they differ.
    """
    if state["config"][part] != repr(getattr(recipe, part)):
        raise ValueError(
            f"{path} was written with another {part} configuration than that of the recipe "
            f"{recipe.name!r}; use the recipe it was written with, or start in an empty folder"
        )


def check_images(state: dict[str, Any], train: Source, path: Path) -> None:
    """Checks that a checkpoint's network was trained on these images.

    Others would be split otherwise: it would be measured on images that it was trained on.

    Raises:
        ValueError: it was not.
    """
    count, identity = len(train), train.identity()
    # Checkpoints of earlier versions lack the identity, or both.
    if (state.get("images", count), state.get("trained_on", identity)) != (count, identity):
        raise ValueError(
            f"{path} was trained on {state['images']} images, and the {count} that there are to "
            "train on now are others; use the data it was trained on, or train in an empty folder"
        )


def check_trained_on(train: Source, path: Path, ranks: Ranks) -> None:
    """The same of a checkpoint that the first rank reads."""
    ranks.from_first(lambda: check_images(checkpoint.load(path), train, path))


def how_trained(path: Path) -> tuple[int | None, str | None, str]:
    """Of a checkpoint's network: epochs done, weights it started from, training configuration."""
    state = checkpoint.load(path)
    training = state.get("config", {}).get("training", "")
    return state.get("epoch"), state.get("weights"), training


class TrainingState:
    """A network in training, and how far it has come.

    Args:
        recipe: the run.
        data: what it is trained on.
        network: the network, prepared for its device.
    """

    def __init__(self, recipe: Recipe, data: Source, network: SuperNet) -> None:
        config = recipe.training
        self.recipe, self.data, self.network = recipe, data, network
        self.trained_on = data.identity()
        self.optimizer = torch.optim.Adam(
            network.parameters(),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.epoch = self.step = 0
        """Whole epochs done, and steps done in the epoch after them."""
        self.means = Averages()
        """Of those steps."""
        self.weights: str | None = None
        """The SHA-256 of what the encoder started from; None for random weights."""
        self.best = float("inf")
        """The lowest validation loss, Σ ρ_n L_n."""

    def resume(self, path: Path, ranks: Ranks) -> bool:
        """Goes on from a checkpoint, if there is one where the first rank looks for it.

        Returns:
            Whether there was one.

        Raises:
            ValueError: it is unreadable, or of another recipe or other data.
        """
        state = ranks.from_first(lambda: self._read(path))
        if state is not None:
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            # Checkpoints of earlier versions were only written after whole epochs.
            self.epoch, self.step = state["epoch"], state.get("step", 0)
            self.means = Averages(**state.get("means", {}))
            self.best = state.get("best", self.best)
            self.weights = state.get("weights")
        return state is not None

    def _read(self, path: Path) -> dict[str, Any] | None:
        if not path.exists():
            return None
        state = checkpoint.load(path)
        for part in PARTS:
            check(self.recipe, part, state, path)
        check_images(state, self.data, path)
        if "weights" in state:
            check_started(self.recipe.network.encoder, state["weights"], path)
        return state

    def save(self, path: Path) -> None:
        """Writes a checkpoint that :meth:`resume` goes on from."""
        state = self._weights() | {
            "step": self.step,
            "means": asdict(self.means),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
        }
        checkpoint.save(path, state)

    def save_weights(self, path: Path) -> None:
        """Writes what :func:`training.loop.load_network` reads, and no more."""
        checkpoint.save(path, self._weights())

    def _weights(self) -> dict[str, Any]:
        return {
            "config": {part: repr(getattr(self.recipe, part)) for part in PARTS},
            "images": len(self.data),
            "trained_on": self.trained_on,
            "epoch": self.epoch,
            "weights": self.weights,
            "network": self.network.state_dict(),
        }
