"""What is said of a recipe without its data, against counts by other means."""

import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from model_store.subnet.space import Architecture
from tests.training.tiny import MAKERS, network_of, some
from training.cli import app
from training.configs import recipes
from training.describe import describe, parameters_of
from training.recipe import Recipe
from training.supernet import SuperNet


def held(network: SuperNet, architecture: Architecture) -> int:
    return sum(p.numel() for p in network.extract(architecture).parameters())


@pytest.mark.parametrize("make", MAKERS)
def test_parameters_are_those_of_the_extracted_network(make: Callable[[], Recipe]) -> None:
    network = network_of(make())
    for architecture in (network.space.smallest(), network.space.largest(), some(network, 1)):
        assert parameters_of(network, architecture) == held(network, architecture)
    described = describe(make())
    assert described.parameters.min == held(network, network.space.smallest())
    assert described.parameters.max == held(network, network.space.largest())


@pytest.mark.parametrize(
    ("name", "gmacs"), [("nyud", 22.67), ("pascal", 9.43), ("cifar100", 0.07305)]
)
def test_the_full_width_costs_what_the_paper_reports(name: str, gmacs: float) -> None:
    assert describe(recipes()[name]()).gmacs.max == pytest.approx(gmacs, rel=1e-3)


@pytest.mark.parametrize("name", sorted(recipes()))
def test_every_recipe_can_be_described_as_json(name: str) -> None:
    result = CliRunner().invoke(app, ["describe", name, "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert set(found) == {"recipe", "gmacs", "parameters", "groups"}
    assert found["recipe"] == name
    for quantity in ("gmacs", "parameters"):
        assert set(found[quantity]) == {"min", "max"}
        assert 0 < found[quantity]["min"] < found[quantity]["max"]
    network = recipes()[name]().network
    tasks = [g["task"] for g in found["groups"] if g["task"] is not None]
    assert tasks == [t.name for t in network.tasks]
    for group in found["groups"]:
        assert set(group) == {"name", "task", "ratios", "channels"}
        assert len(group["ratios"]) == len(group["channels"])


def test_the_table_names_every_group_and_the_ranges() -> None:
    result = CliRunner().invoke(app, ["describe", "rooms"], catch_exceptions=False)
    assert result.stdout.startswith("rooms\nGMACs       0.1226 to 0.4529\nparameters  ")
    for group in describe(recipes()["rooms"]()).groups:
        assert f" {group.name} " in result.stdout
    assert "16 24 32" in result.stdout


def test_describing_needs_a_known_recipe() -> None:
    result = CliRunner().invoke(app, ["describe", "imagenet"])
    assert result.exit_code == 1
    assert "unknown recipe 'imagenet'" in result.stderr
