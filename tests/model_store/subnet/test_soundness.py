"""Slices that do not fit the graph are found before anything is cut."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from model_store.published import PublishedModel
from model_store.subnet.slicing import Dims
from model_store.subnet.soundness import check_sliceable


def test_the_tiny_model_is_sound(tiny: PublishedModel) -> None:
    check_sliceable(tiny.graph, tiny.space, tiny.manifest.slices)


@pytest.mark.parametrize(
    ("name", "dims", "reason"),
    [
        ("nothing.weight", ((),), "is no initializer"),
        ("stem.bias", (("block",),), "do not fit its shape"),
        ("stem.bias", (("stem",), ()), "do not fit its shape"),
        ("stem.bias", (("animals",),), "a group within another"),
        ("block.1.weight", (("block",), (), (), ()), "reads 16 channels of .*, which has 4"),
        ("block.1.bn.var", ((),), "do not fit together"),
        ("block.1.weight", ((), ("stem",), (), ()), "do not fit together"),
        ("stage.weight", (("stage",), (), (), ()), "reads 32 channels of .*, which has 8"),
        ("animals.weight", ((), ()), "do not fit together"),
    ],
)
def test_slices_that_do_not_fit_the_graph_are_refused(
    tiny: PublishedModel, name: str, dims: Dims, reason: str
) -> None:
    slices: Mapping[str, Dims] = {**tiny.manifest.slices, name: dims}
    with pytest.raises(ValueError, match=reason):
        check_sliceable(tiny.graph, tiny.space, slices)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(tiny: PublishedModel, value: float) -> None:
    spoilt = tiny.graph.weights["stem.weight"].copy()
    spoilt[0, 0, 0, 0] = value
    graph = replace(tiny.graph, weights={**tiny.graph.weights, "stem.weight": spoilt})
    with pytest.raises(ValueError, match=r"'stem.weight' holds values that are not finite"):
        check_sliceable(graph, tiny.space, tiny.manifest.slices)
