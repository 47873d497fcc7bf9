"""What the documents name exists: settings, metrics, what ships, what a symbol of the paper is."""

import re
from pathlib import Path

import pytest

from model_store.published import ModelStore, default_root
from service.metrics import Metrics
from service.profiles import Profiles, place_of
from service.providers import choose_device
from service.settings import Settings
from tests.documents.blocks import DOCUMENTS, ROOT, rows

NOT_OF_THE_SERVICE = {
    "SLIMDIAL_API_KEY": "service/client/keys.py",
    "SLIMDIAL_CHROMIUM": "tests/browser.py",
    "SLIMDIAL_SCREENSHOTS": "tests/service/page/conftest.py",
}
"""Variables of the environment that are no settings, and what reads them."""


def test_settings_that_are_named_exist() -> None:
    known = {f"SLIMDIAL_{name.upper()}" for name in Settings.model_fields}
    for name, reader in NOT_OF_THE_SERVICE.items():
        assert name in (ROOT / reader).read_text()
    for document in DOCUMENTS:
        text = (ROOT / document).read_text()
        named = set(re.findall(r"SLIMDIAL_[A-Z_]*[A-Z]", text))
        named |= {name.upper() for name in re.findall(r"/run/secrets/(slimdial_\w+)", text)}
        assert named - known - set(NOT_OF_THE_SERVICE) == set(), document


def test_the_page_on_the_service_has_every_setting() -> None:
    table = rows("docs/service.md", ("`SLIMDIAL_...`", "default", "what"))
    named = [name for row in table for name in re.findall(r"`([A-Z_]+)`", row[0])]
    assert sorted(named) == sorted(name.upper() for name in Settings.model_fields)


def test_profiles_lie_where_the_page_on_milliseconds_says(tmp_path: Path) -> None:
    model, device = ModelStore(default_root()).open("caltech100"), choose_device("cpu", 1)
    file = Profiles(tmp_path, place_of(device, "fp32")).path_of(model)
    assert file.parent.parent == tmp_path
    page = (ROOT / "docs/how-to/milliseconds.md").read_text()
    assert f"`{file.parent.name}/` in the data folder" in page


def test_metrics_that_are_named_exist() -> None:
    known = {name for m in Metrics().registry.collect() for name in (m.name, f"{m.name}_total")}
    known |= {sample.name for m in Metrics().registry.collect() for sample in m.samples}
    for document in DOCUMENTS:
        text = (ROOT / document).read_text()
        named = set(re.findall(r"`(slimdial_[a-z_]+)`", text))
        assert named - known == set(), document


def test_what_ships_costs_what_the_readme_says() -> None:
    store = ModelStore(default_root())
    table = rows("README.md", ("model", "network", "tasks", "GMACs"))
    assert {name.strip("`") for name, *_ in table} == set(store.names())
    for name, _, _, gmacs in table:
        model = store.open(name.strip("`"))
        least, most = (float(number) for number in gmacs.split(" to "))
        assert least == pytest.approx(model.cost.of(model.space.smallest()) / 1e9, rel=0.01)
        assert most == pytest.approx(model.cost.of(model.space.largest()) / 1e9, rel=0.01)


def test_names_beside_the_symbols_of_the_paper_stand_in_the_files_that_are_linked() -> None:
    for symbol, place in rows("docs/method.md", ("the paper", "in the code")):
        files = [ROOT / "docs" / path for path in re.findall(r"\]\(([^)#]+\.py)\)", place)]
        assert files, symbol
        code = "".join(path.read_text() for path in files)
        for name in re.findall(r"`([A-Za-z_.]+)`", place):
            assert set(name.split(".")) <= set(re.findall(r"\w+", code)), (symbol, name)


def test_the_page_on_tasks_names_every_file_that_knows_their_kinds() -> None:
    page = (ROOT / "docs/how-to/task.md").read_text()
    # Recipes and loaders of published data sets name tasks of theirs; examples are no code.
    others = {"configs", "published_recipes", "nyud", "pascal", "openapi_examples"}
    kinds = re.compile('"(segmentation|normals|edges|saliency)"')
    files = [
        p for d in ("model_store", "service", "training") for p in (ROOT / d).rglob("*.[pj][ys]")
    ]
    knowing = {p for p in files if p.stem not in others and kinds.search(p.read_text())}
    named = {
        (ROOT / "docs/how-to" / link).resolve() for link in re.findall(r"\]\((\S+[yj]s?)\)", page)
    }
    assert knowing == named
