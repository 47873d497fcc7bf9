"""Latency profiles: measured for real, kept, and used for budgets of latency."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model_store.budget import Budget
from model_store.latency import LatencyProfile
from model_store.pricing import cost_model
from model_store.published import ModelStore, PublishedModel
from model_store.request import SubnetRequest
from model_store.subnetwork import choose
from service.cli import app
from service.device import CPU, Device
from service.profiles import Profiles, machine, place_of
from service.profiling import Plan, profile
from service.settings import Settings
from tests.disks import fill
from tests.service.running import Running

DEVICE = Device(CPU, "the CPU was asked for", 1)
PLACE = place_of(DEVICE, "fp32")
PLAN = Plan(fitted=10, held_out=3, rounds=2)


@pytest.fixture(scope="session")
def model(models_root: Path) -> PublishedModel:
    return ModelStore(models_root).open("tiny")


@pytest.fixture(scope="session")
def measured(model: PublishedModel) -> LatencyProfile:
    return profile(model, DEVICE, PLACE, PLAN)


def test_a_profile_says_what_was_measured_where_and_how_good_it_is(
    model: PublishedModel, measured: LatencyProfile
) -> None:
    assert (measured.model, measured.model_digest) == ("tiny", model.digest)
    assert measured.place == PLACE
    assert measured.measured == 13
    assert 0 < measured.fastest_ms <= measured.slowest_ms
    assert measured.held_out.sub_networks == 3
    assert measured.held_out.median <= measured.held_out.worst


def test_every_step_is_told(model: PublishedModel) -> None:
    plan, told = Plan(8, 1, 1), list[str]()
    profile(model, DEVICE, PLACE, plan, told.append)
    assert len(told) == plan.steps


def test_a_subnetwork_keeps_to_a_budget_of_latency(
    model: PublishedModel, measured: LatencyProfile
) -> None:
    cost = measured.cost_model(model, model.space.tasks)
    least, most = cost.of(model.space.smallest()), cost.of(model.space.largest())
    for share in (0.0, 0.4, 1.0):
        ms = (least + share * (most - least)) / cost.unit.scale
        request = SubnetRequest.of(model, Budget("latency_ms", ms), {}, latency=measured)
        choice = choose(model, request)
        counted = cost_model(model, request).of(choice.architecture)
        assert counted <= request.counts(cost.unit)


def test_the_profile_is_part_of_the_request(
    model: PublishedModel, measured: LatencyProfile
) -> None:
    other = measured.model_copy(update={"block": measured.block + 1})
    again = LatencyProfile.model_validate_json(measured.model_dump_json())

    def digest(latency: LatencyProfile, kind: Budget) -> str:
        return SubnetRequest.of(model, kind, {}, latency=latency).digest(model)

    ms, gmacs = Budget("latency_ms", 5.0), Budget("gmacs", 5.0)
    assert digest(measured, ms) == digest(again, ms) != digest(other, ms)
    assert digest(measured, gmacs) == digest(other, gmacs)


def test_what_is_written_is_read_at_once_and_only_in_its_place(
    model: PublishedModel, measured: LatencyProfile, tmp_path: Path
) -> None:
    profiles = Profiles(tmp_path, PLACE)
    assert profiles.of(model) is None
    profiles.write(model, measured)
    assert profiles.of(model) == measured
    newer = measured.model_copy(update={"block": measured.block + 1})
    profiles.write(model, newer)
    assert profiles.of(model) == newer
    elsewhere = PLACE.model_copy(update={"threads": 2})
    assert Profiles(tmp_path, elsewhere).of(model) is None


def test_on_a_full_disk_the_profile_before_stays_and_nothing_else(
    model: PublishedModel, measured: LatencyProfile, small_disk: Path
) -> None:
    profiles = Profiles(small_disk, PLACE)
    path = profiles.write(model, measured)
    fill(small_disk)
    with pytest.raises(OSError, match="No space left"):
        profiles.write(model, measured)
    assert profiles.of(model) == measured
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[1]"])
def test_a_file_that_is_no_profile_is_no_profile(
    model: PublishedModel, measured: LatencyProfile, tmp_path: Path, content: bytes
) -> None:
    profiles = Profiles(tmp_path, PLACE)
    profiles.write(model, measured).write_bytes(content)
    assert profiles.of(model) is None


def test_the_profile_of_another_model_is_not_taken(
    model: PublishedModel, measured: LatencyProfile, tmp_path: Path
) -> None:
    profiles = Profiles(tmp_path, PLACE)
    profiles.write(model, measured.model_copy(update={"model_digest": "0" * 64}))
    assert profiles.of(model) is None


def test_the_machine_is_named_by_its_processor(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Abacus 9\n\nmodel name\t: Abacus 9\n")
    assert machine(cpuinfo).endswith("Abacus 9")
    assert machine(tmp_path / "absent")


@pytest.mark.parametrize("plan", [(7, 1, 1), (8, 0, 1), (8, 1, 0)])
def test_a_plan_that_measures_too_little_is_refused(plan: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="at least 8"):
        Plan(*plan)


@pytest.mark.anyio
async def test_a_running_service_uses_a_profile_as_soon_as_it_is_there(
    service: Running, settings: Settings
) -> None:
    body = {"budget": {"latency_ms": 1000.0}, "preference": {"depth": 1.0}}
    refused = await service.http.post("/subnet", json=body)
    assert refused.status_code == 422
    assert "slimdial profile tiny" in refused.json()["error"]

    options = ["--networks", "8", "--held-out", "1", "--rounds", "1", "--device", "cpu", "--json"]
    folders = ["--data-dir", str(settings.data_dir), "--models-root", str(settings.models_root)]
    command = CliRunner().invoke(app, ["profile", "tiny", *options, *folders])
    assert command.exit_code == 0, command.output
    assert Path(json.loads(command.stdout)["file"]).is_file()

    answer = (await service.http.post("/subnet", json=body)).json()
    assert answer["budget"] == {"latency_ms": 1000.0}
    assert 0 < answer["cost"]["latency_ms"] <= 1000.0
    assert answer["budget_gmacs"] is None
    again = (await service.http.post("/subnet", json=body)).json()
    assert (again["subnet_id"], again["cache"]) == (answer["subnet_id"], "hit")
    assert again["cost"] == answer["cost"]

    body["budget"] = {"latency_ms": 1e-9}
    refused = await service.http.post("/subnet", json=body)
    assert set(refused.json()["feasible"]) == {"min_latency_ms", "max_latency_ms"}
