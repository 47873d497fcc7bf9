"""Search spaces to measure the search on: of published models, or made up of realistic size."""

from dataclasses import dataclass

import numpy as np

from model_store.published import PublishedModel
from model_store.subnet.cost import CostModel, CostTerm
from model_store.subnet.predictor import AccuracyPredictor, tensor_shapes
from model_store.subnet.search import Score
from model_store.subnet.space import Group, SearchSpace


@dataclass(frozen=True)
class Searchable:
    """What a search needs to know of a model."""

    name: str
    space: SearchSpace
    cost: CostModel
    losses: Score


def published(model: PublishedModel) -> Searchable:
    """The search space of a published model, with its own predictor."""
    return Searchable(
        model.manifest.name, model.space, model.cost, model.predictor.standardised_losses
    )


def dense(seed: int = 0) -> Searchable:
    """Like MobileNetV2 with five DeepLabv3 heads: 24 + 5 groups, widths 0.5 to 1.0."""
    ratios = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    stages = [(16, 1), (24, 2), (32, 3), (64, 4), (96, 3), (160, 3), (320, 1)]
    groups = [Group.of("stem", 32, ratios, 8)]
    terms = [CostTerm(64 * 64, 9, (3,), ("stem",))]
    stream, size = "stem", 64
    for number, (channels, blocks) in enumerate(stages):
        size = size if number in (0, 4, 6) else max(size // 2, 8)
        stage = f"stage{number}"
        groups.append(Group.of(stage, channels, ratios, 8))
        for block in range(blocks):
            hidden = f"{stage}.hidden{block}"
            if number == 0:  # MobileNetV2's first block does not expand
                hidden = stream
            else:
                groups.append(Group.of(hidden, 6 * channels, ratios, 8))
                terms.append(CostTerm(size * size, 1, (stream,), (hidden,)))
            terms.append(CostTerm(size * size, 9, (1,), (hidden,)))
            terms.append(CostTerm(size * size, 1, (hidden,), (stage,)))
            stream = stage
    for task, outputs in (("semseg", 13), ("depth", 1), ("normals", 3), ("edges", 1), ("sal", 1)):
        decoder = f"decoder.{task}"
        groups.append(Group.of(decoder, 128, ratios, 8, task=task))
        terms += [CostTerm(size * size, 9, (stream,), (decoder,), task) for _ in range(3)]
        terms += [
            CostTerm(size * size, 1, (decoder,) * 4, (decoder,), task),
            CostTerm(size * size, 9, (decoder,), (decoder,), task),
            CostTerm(size * size, 1, (decoder,), (outputs,), task),
        ]
    space = SearchSpace(tuple(groups))
    return Searchable("dense 24+5", space, CostModel(space, terms), _predictor(space, seed))


def classification(seed: int = 0) -> Searchable:
    """Like ResNet-9 with 20 linear heads: 6 + 20 groups, widths 0.2 to 1.0."""
    ratios = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    widths = (("prep", 28), ("layer1", 56), ("res1", 56), ("layer2", 112), ("layer3", 224))
    groups = [Group.of(name, full, ratios, 4) for name, full in widths]
    groups.append(Group.of("res3", 224, ratios, 4))
    terms = [
        CostTerm(1024, 9, (3,), ("prep",)),
        CostTerm(1024, 9, ("prep",), ("layer1",)),
        CostTerm(256, 9, ("layer1",), ("res1",)),
        CostTerm(256, 9, ("res1",), ("layer1",)),
        CostTerm(256, 9, ("layer1",), ("layer2",)),
        CostTerm(64, 9, ("layer2",), ("layer3",)),
        CostTerm(16, 9, ("layer3",), ("res3",)),
        CostTerm(16, 9, ("res3",), ("layer3",)),
    ]
    for number in range(20):
        task = f"task{number:02}"
        head = f"head.{task}"
        groups.append(Group.of(head, 224, ratios, 4, task=task, within="layer3"))
        terms.append(CostTerm(1, 1, (head,), (5,), task))
    space = SearchSpace(tuple(groups))
    return Searchable(
        "classification 6+20", space, CostModel(space, terms), _predictor(space, seed)
    )


def _predictor(space: SearchSpace, seed: int) -> Score:
    """A smooth function of the widths, fitted to nothing: mostly wider is better, not always."""
    rng = np.random.default_rng(seed)
    tensors = {}
    tasks = len(space.tasks)
    for name, shape in tensor_shapes(tasks, len(space.groups)).items():
        values = rng.normal(0.0, 1.0 / np.sqrt(shape[-1]), shape)
        if name == "model.0.weight":
            values += 0.7 / np.sqrt(shape[-1])
        elif name == "heads.weight":
            values -= 0.3 / np.sqrt(shape[-1])
        elif name == "targets.std":
            values = np.ones(shape)
        tensors[name] = values.astype(np.float32)
    return AccuracyPredictor.from_tensors(
        tensors, space.tasks, len(space.groups)
    ).standardised_losses
