"""What marginal evaluation rests on: given the encoder, a task depends on its own decoder alone."""

import pytest

from tests.training.tiny import Noise, dense, images, network_of
from training.evaluate import calibrated, evaluate
from training.evaluation.marginal import steps


def test_other_decoders_do_not_change_a_task() -> None:
    recipe = dense()
    network, test = network_of(recipe), Noise.of(recipe, 6)
    narrow, _, wide = steps(network.space, "smallest")
    group = network.space.groups[network.space.decoders["depth"]].name
    mixed = network.space.from_channels(narrow.as_dict() | {group: wide[group]})
    found = {
        name: evaluate(calibrated(network, a, images(16)), test).metrics
        for name, a in (("narrow", narrow), ("wide", wide), ("mixed", mixed))
    }
    for task in network.space.tasks:
        expected = found["wide" if task == "depth" else "narrow"][task]
        assert found["mixed"][task] == pytest.approx(expected, rel=1e-5)
    assert found["narrow"]["depth"] != pytest.approx(found["wide"]["depth"], rel=1e-5)
