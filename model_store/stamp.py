"""What an ONNX file says about itself: enough to use and to attribute it on its own."""

import json
from collections.abc import Sequence

from model_store.published import PublishedModel
from model_store.subnet.space import Architecture


def channels_of(
    model: PublishedModel, architecture: Architecture, tasks: Sequence[str]
) -> dict[str, int]:
    """Channel counts of the encoder's groups and of these tasks' decoders."""
    kept = [g for g in model.space.groups if g.task is None or g.task in tasks]
    return {g.name: architecture[g.name] for g in kept}


def stamp(
    model: PublishedModel,
    subnet_id: str,
    architecture: Architecture,
    tasks: Sequence[str],
    macs: int,
) -> dict[str, str]:
    """The metadata of a sub-network's file."""
    manifest = model.manifest
    kept = [manifest.task(t).model_dump(mode="json") for t in tasks]
    return {
        "slimdial.subnet_id": subnet_id,
        "slimdial.model": manifest.name,
        "slimdial.version": manifest.version,
        "slimdial.model_digest": model.digest,
        "slimdial.macs": str(macs),
        "slimdial.channels": json.dumps(channels_of(model, architecture, tasks)),
        "slimdial.tasks": json.dumps(kept),
        "slimdial.license": manifest.provenance.license,
        "slimdial.attribution": manifest.provenance.attribution,
    }
