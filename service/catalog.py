"""The published models that a service serves, opened and verified once at start."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_store.published import ModelError, ModelStore, PublishedModel, default_root
from service.errors import NotFoundError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Catalog:
    """Models by name."""

    models: Mapping[str, PublishedModel]
    default: str
    refused: Mapping[str, str]
    """Models that could not be opened, and why."""

    def get(self, name: str | None) -> PublishedModel:
        """A model by name, or the default one.

        Raises:
            NotFoundError: there is no such model.
        """
        found = self.models.get(name or self.default)
        if found is None:
            raise NotFoundError(f"unknown model {name!r}; known are {sorted(self.models)}")
        return found

    def troubles(self) -> dict[str, str]:
        """Models that are not served, or no longer as they should be, and why."""
        found = dict(self.refused)
        for name, model in self.models.items():
            try:
                model.weights.check()
            except ModelError as error:
                found[name] = error.brief
        return found

    def by_digest(self, digest: str) -> PublishedModel | None:
        """The model version with this digest, if it is served."""
        return next((m for m in self.models.values() if m.digest == digest), None)


def open_catalog(root: Path | None, default: str | None) -> Catalog:
    """Opens the current version of every model under a folder.

    A model that cannot be opened is reported and left out; the others are served.

    Args:
        root: the folder; that of the models that ship with the project if None.
        default: the model of requests that name none; the first by name if None.

    Raises:
        ModelError: no model can be served.
        ValueError: the default model is not among them.
    """
    root = default_root() if root is None else root
    store = ModelStore(root)
    models: dict[str, PublishedModel] = {}
    refused: dict[str, str] = {}
    for name in store.names():
        try:
            models[name] = store.open(name)
        except (ModelError, ValueError) as error:
            why = error.brief if isinstance(error, ModelError) else str(error)
            log.error("model %s is not served: %s", name, why)
            refused[name] = why
    if not models:
        why = "; ".join(refused.values()) or "holds no published model"
        raise ModelError(root, why)
    if default is not None and default not in models:
        raise ValueError(f"the default model {default!r} is not one of {sorted(models)}")
    return Catalog(models, default or next(iter(models)), refused)
