"""Batches through real sessions: whoever shares a run gets what he would have got alone."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model_store.published import open_model
from model_store.subnetwork import SubnetRequest, build, choose
from service.batches import Outputs, join, split
from service.device import Device
from service.providers import choose_device
from service.scheduling.scheduler import Limits, Scheduler
from tests.tiny import publish_tiny
from tests.tiny_network import SIZE, TASKS

Images = NDArray[np.float32]
NAMES = tuple(t.name for t in TASKS)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> "Networks":
    model = open_model(publish_tiny(tmp_path_factory.mktemp("models")))
    low, high = (model.cost.of(a) / 1e9 for a in (model.space.smallest(), model.space.largest()))
    return Networks(
        [build(model, choose(model, SubnetRequest.of(model, b, {})), 1).onnx for b in (low, high)]
    )


class Networks:
    """Sub-networks of one model, ready to run."""

    def __init__(self, files: Sequence[bytes]) -> None:
        self.device: Device = choose_device("cpu", 1)
        self.sessions = [self.device.session(f) for f in files]
        self.alone = cache(self._alone)

    def image(self, seed: int) -> Images:
        return np.random.default_rng(seed).random((1, 3, SIZE, SIZE), dtype=np.float32)

    def _alone(self, network: int, names: tuple[str, ...], seed: int) -> Outputs:
        return self.device.run(self.sessions[network], names, self.image(seed))


Key = tuple[int, tuple[str, ...]]
asked = st.tuples(
    st.integers(0, 1),
    st.sampled_from([NAMES, NAMES[:1], NAMES[2:4]]),
    st.integers(0, 5),
)


def same(found: Outputs, expected: Outputs) -> None:
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name].shape == values.shape
        # A batch may be summed up in another order; another picture differs by far more.
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5)


@settings(max_examples=25)
@given(
    requests=st.lists(asked, min_size=1, max_size=12),
    batch=st.integers(1, 8),
    slots=st.integers(1, 2),
)
def test_nobody_gets_what_belongs_to_another(
    networks: Networks, requests: list[tuple[int, tuple[str, ...], int]], batch: int, slots: int
) -> None:
    sizes: list[int] = []

    def run(items: Sequence[tuple[Key, Images]]) -> list[Outputs]:
        (network, names), _ = items[0]
        assert {key for key, _ in items} == {(network, names)}
        sizes.append(len(items))
        outputs = networks.device.run(
            networks.sessions[network], names, join([i for _, i in items])
        )
        return split(outputs, [1] * len(items))

    async def all_at_once() -> list[Outputs]:
        with ThreadPoolExecutor(slots) as executor:
            together: Scheduler[Key, tuple[Key, Images], Outputs] = Scheduler(
                run, executor, Limits(slots, len(requests), batch)
            )
            keys: list[Key] = [(network, names) for network, names, _ in requests]
            images = [networks.image(seed) for _, _, seed in requests]
            return await asyncio.gather(
                *(together.submit(k, (k, i)) for k, i in zip(keys, images, strict=True))
            )

    for request, found in zip(requests, asyncio.run(all_at_once()), strict=True):
        same(found, networks.alone(*request))
    assert sum(sizes) == len(requests)
    assert max(sizes) <= batch


def test_pictures_tell_networks_and_seeds_apart(networks: Networks) -> None:
    """What the property above relies on."""
    for other in ((0, NAMES, 1), (1, NAMES, 0)):
        with pytest.raises(AssertionError):
            same(networks.alone(*other), networks.alone(0, NAMES, 0))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_what_was_joined_is_split_into_the_same(sizes: list[int]) -> None:
    rng = np.random.default_rng(0)
    inputs = [rng.random((n, 2, 3), dtype=np.float32) for n in sizes]
    for expected, found in zip(inputs, split({"x": join(inputs)}, sizes), strict=True):
        assert np.array_equal(found["x"], expected)


@pytest.mark.parametrize("shape", [(), (2, 5), (4, 5)])
def test_outputs_without_a_row_for_each_input_are_not_dealt_out(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected 3 rows"):
        split({"x": np.zeros(shape, np.float32)}, [1, 2])
