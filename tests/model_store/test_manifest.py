"""The manifest: what it gives, and what it refuses."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from model_store.manifest import Manifest, check_component
from tests.tiny import tiny_model_files

Document = dict[str, Any]


def document() -> Document:
    found: Document = json.loads(tiny_model_files()[1].model_dump_json())
    return found


def test_a_manifest_survives_the_way_to_json_and_back() -> None:
    manifest = tiny_model_files()[1]
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest


def test_the_search_space_is_that_of_the_groups() -> None:
    space = tiny_model_files()[1].search_space()
    assert space.names[:4] == ("stem", "block", "expand", "stage")
    assert space.tasks == ("animals", "semseg", "depth", "normals", "edges", "saliency")
    assert space.groups[space.index["animals"]].within == "stage"
    assert space.groups[0].channels == (4, 8, 12, 16)


def test_the_cost_model_knows_which_task_a_layer_belongs_to() -> None:
    manifest = tiny_model_files()[1]
    cost = manifest.cost_model()
    largest = manifest.search_space().largest()
    # Three classes read sixteen pooled features.
    assert cost.for_tasks(["animals"]).of(largest) - cost.for_tasks([]).of(largest) == 3 * 16


def change(*path: str | int, to: object) -> Callable[[Document], None]:
    def apply(found: Any) -> None:  # noqa: ANN401
        for step in path[:-1]:
            found = found[step]
        found[path[-1]] = to

    return apply


def without_encoder(found: Document) -> None:
    found["groups"] = [{**g, "within": None} for g in found["groups"] if g["task"]]


_HUGE = {"positions": 1 << 30, "kernel": 1 << 30, "inputs": [1], "outputs": [1]}


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (change("schema_version", to=2), "schema version 1 expected, found 2"),
        (change("extra", to=1), "extra"),
        (change("tasks", 0, "extra", to=1), "tasks.0.extra"),
        (change("name", to="../x"), "name"),
        (change("name", to=".x"), "name"),
        (change("name", to="a/b"), "name"),
        (change("name", to="x" * 65), "name"),
        (change("version", to=".."), "version"),
        (change("version", to="1\n"), "version"),
        (change("version", to="current"), "cannot be named 'current'"),
        (change("method", to="magic"), "method"),
        (change("divisor", to=0), "divisor"),
        (change("divisor", to="4"), "divisor"),
        (change("divisor", to=5), "divisor"),
        (change("tasks", to=[]), "tasks"),
        (change("tasks", 1, "name", to="image"), "'image'"),
        (change("tasks", 1, "name", to="a/b"), "tasks.1.name"),
        (change("tasks", 1, "name", to="other"), "decoder groups are those of"),
        (change("tasks", 1, "kind", to="sound"), "tasks.1.kind"),
        (change("tasks", 2, "classes", to=2), "1 output channels, not 2"),
        (change("tasks", 3, "classes", to=1), "3 output channels, not 1"),
        (change("tasks", 0, "labels", to=["ant"]), "labels: 3 expected, found 1"),
        (change("tasks", 1, "palette", to=[[0, 0, 0]]), "palette: 4 expected, found 1"),
        (change("tasks", 1, "palette", 0, 0, to=256), "palette"),
        (change("input", "height", to=0), "input.height"),
        (change("input", "channel_order", to="BGR"), "channel_order"),
        (change("input", "std", to=[1.0, 0.0, 1.0]), "must be positive"),
        (change("groups", 0, "channels", to=[4, 4, 12, 16]), "ascend"),
        (change("groups", 0, "channels", to=[4, 8]), "as many ratios"),
        (change("groups", 0, "channels", 0, to=0), "groups.0.channels.0"),
        (change("groups", 0, "channels", 3, to=1 << 40), "groups.0.channels.3"),
        (change("groups", 0, "ratios", 3, to=0.9), "end at 1"),
        (change("groups", 0, "ratios", 0, to=-0.5), "ascend within"),
        (change("groups", 0, "name", to="block"), "unique"),
        (change("groups", 4, "within", to="nowhere"), "unknown group 'nowhere'"),
        (change("groups", 5, "task", to=None), "encoder groups come first"),
        (without_encoder, "an encoder group is needed"),
        (change("slices", "stem.weight", 0, 0, to="nowhere"), "unknown groups"),
        (change("slices", "stem.weight", 0, 0, to=0), "stem.weight"),
        (change("cost", 0, "positions", to=0), "cost.0.positions"),
        (change("cost", 0, "outputs", to=["nowhere"]), "unknown groups"),
        (change("cost", 0, "task", to="nowhere"), "unknown tasks"),
        (change("cost", 0, to=_HUGE), "2\\^53"),
        (change("calibration", "images", to=0), "calibration.images"),
        (change("calibration", "kind", to="imagined"), "calibration.kind"),
        (change("provenance", "created", to="yesterday"), "created"),
        (change("files", to={"manifest.json": {"sha256": "0" * 64, "bytes": 1}}), "its own"),
        (change("files", to={"../x": {"sha256": "0" * 64, "bytes": 1}}), "files"),
        (change("files", to={"/etc/passwd": {"sha256": "0" * 64, "bytes": 1}}), "files"),
        (change("files", to={"examples/../x": {"sha256": "0" * 64, "bytes": 1}}), "files"),
        (change("files", to={"a": {"sha256": "0", "bytes": 1}}), "sha256"),
        (change("files", to={"a": {"sha256": "0" * 64, "bytes": -1}}), "bytes"),
    ],
)
def test_a_manifest_that_is_not_sound_is_refused(
    spoil: Callable[[Document], None], where: str
) -> None:
    found = document()
    spoil(found)
    with pytest.raises(ValidationError, match=where):
        Manifest.model_validate_json(json.dumps(found))


@pytest.mark.parametrize("field", sorted(tiny_model_files()[1].model_dump(exclude={"files"})))
def test_no_field_may_be_missing(field: str) -> None:
    found = document()
    del found[field]
    with pytest.raises(ValidationError, match=field):
        Manifest.model_validate_json(json.dumps(found))


def test_a_manifest_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        tiny_model_files()[1].name = "other"


@pytest.mark.parametrize("value", ["", "..", "../x", "a/b", "A", "-a", "a\n", "a" * 65])
def test_what_is_no_path_component_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="name must match"):
        check_component("name", value)


@pytest.mark.parametrize("value", ["a", "0", "rooms-v1.2_3", "a" * 64])
def test_path_components_pass(value: str) -> None:
    assert check_component("name", value) == value
