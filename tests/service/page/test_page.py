"""What the page shows and does."""

import base64
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from service.security.key_file import change_keys
from service.security.keys import Scope
from tests.service.page.conftest import Open
from tests.service.page.looking import Looking
from tests.service.process import ROOT, serving
from tests.service.running import encoded, picture

Shoot = Callable[..., None]
OWN = "Open a picture"
SHELLS = {"curl": ["bash", "-c"], "Python": [sys.executable, "-c"]}
KINDS = ("animals", "semseg", "depth", "normals", "edges", "saliency")


@pytest.fixture
def seen(visitor: Looking) -> Looking:
    """The tiny model as a first visit shows it, to one who has been here before."""
    page = visitor.page
    page.get_by_role("combobox", name="Model").select_option("tiny")
    expect(visitor.budget).to_have_value("20")
    visitor.button("Example 1").click()
    return visitor.settled()


def test_a_first_visit_shows_a_result_without_a_click(look: Open, shoot: Shoot) -> None:
    seen = look(model="", width=1440).complete()
    expect(seen.page.get_by_role("combobox", name="Model")).to_have_value("rooms")
    for task in ("semseg", "depth", "normals", "edges", "saliency"):
        expect(seen.tile(task).locator("canvas")).to_have_count(2)  # the prediction and the truth
    expect(seen.tile("semseg")).to_contain_text(re.compile(r"floor\s+\d+ %"))
    expect(seen.tile("depth")).to_contain_text(re.compile(r"\d\.\d m"))
    expect(seen.status).to_have_text(re.compile("GMACs is shown"))
    assert float(seen.fact("GMACs")) <= float(seen.exact.input_value())
    shoot(seen, "page")
    shoot(seen, "page-whole", whole=True)


def test_a_moved_dial_is_answered_by_the_sub_network_that_the_api_gives(
    seen: Looking, page_url: str
) -> None:
    before = seen.fact("GMACs")
    seen.budget.press("End")
    seen.task("depth").press("End")
    seen.task("edges").press("Home")
    expect(seen.page.locator(".facts dd").first).not_to_have_text(before)
    seen.settled()
    models = httpx.get(f"{page_url}/models/tiny").json()
    preference = dict.fromkeys(KINDS, 0.5) | {"depth": 1.0, "edges": 0.0}
    dial = {
        "model": "tiny",
        "budget": {"gmacs": models["budget"]["max_gmacs"]},
        "preference": preference,
    }
    subnet = httpx.post(f"{page_url}/subnet", json=dial).json()
    assert float(seen.fact("GMACs")) == pytest.approx(subnet["gmacs"], rel=5e-3)
    row = seen.page.get_by_role("row", name=re.compile("^depth"))
    expect(row).to_contain_text("1.00")
    expect(row).to_contain_text(f"{subnet['predicted']['depth']['loss']:.3g}")
    expect(seen.status).to_contain_text(f"{subnet['gmacs']:.3g}"[:5])


def test_all_that_is_said_of_a_sub_network_is_what_the_api_says(
    seen: Looking, page_url: str
) -> None:
    seen.complete()
    budget = {"gmacs": float(seen.exact.input_value())}
    dial = {"model": "tiny", "budget": budget, "preference": dict.fromkeys(KINDS, 0.5)}
    subnet = httpx.post(f"{page_url}/subnet", json=dial).json()
    answer = httpx.post(f"{page_url}/predict", json=dial | {"example": "0"}).json()
    model = httpx.get(f"{page_url}/models/tiny").json()

    assert seen.fact("Size") == f"{subnet['size_bytes'] / 1e3:.0f} kB"
    assert re.fullmatch(r"[\d.]+ ms", seen.fact("Latency"))
    bars = seen.page.locator(".widths g title").all_text_contents()
    assert sorted(int(re.findall(r": (\d+) of", bar)[0]) for bar in bars) == sorted(
        subnet["channels"].values()
    )
    for task in model["tasks"]:
        row = seen.page.locator("table.quality tr").filter(has_text=task["name"])
        loss, _, measured = row.locator("td").all_inner_texts()[2:]
        assert float(loss) == pytest.approx(subnet["predicted"][task["name"]]["loss"], rel=5e-3)
        exact = answer["measured"][task["name"]]["value"]
        share = 100 if measured.endswith("%") else 1
        rounding = 0.06 if measured[-1] in "%°" else 6e-4
        assert float(measured.rstrip(" %°")) == pytest.approx(share * exact, abs=rounding)
    animals = answer["outputs"]["animals"]
    best = max(zip(animals["probabilities"], animals["labels"], strict=True))
    first = seen.tile("animals").locator(".ranking li:not(.who)").first
    expect(first).to_have_text(re.compile(rf"{best[1]}\s*{100 * best[0]:.0f} %"))


def test_every_kind_of_budget_that_the_model_has_can_be_dialled(seen: Looking) -> None:
    seen.page.get_by_role("radio", name="Fraction").check(force=True)
    expect(seen.budget).to_have_attribute("aria-valuetext", re.compile(r"^\d+ %$"))
    seen.settled()
    assert 0.0 < float(seen.exact.input_value()) < 1.0
    expect(seen.page.get_by_role("radio", name="Latency")).to_be_disabled()
    expect(seen.page.get_by_text("slimdial profile tiny")).to_be_visible()


def test_numbers_are_read_from_pngs_exactly(seen: Looking, page_url: str) -> None:
    body = {"model": "tiny", "example": "0", "budget": {"fraction": 1.0}}
    outputs = httpx.post(f"{page_url}/predict", json=body).json()["outputs"]
    for task in ("semseg", "depth", "normals", "edges"):
        found = seen.page.evaluate(
            """async (data) => {
                const { decodePng } = await import("/page/app/png.js");
                const { data: samples } = await decodePng(data);
                return Array.from(samples);
            }""",
            outputs[task]["data"],
        )
        with Image.open(io.BytesIO(base64.b64decode(outputs[task]["data"]))) as png:
            assert found == np.asarray(png).ravel().tolist()


def test_progress_is_shown_while_a_sub_network_is_cut_out(seen: Looking) -> None:
    held: list[Route] = []
    seen.page.route("**/subnet", lambda route: held.append(route))
    seen.budget.press("ArrowRight")
    progress = seen.page.get_by_role("progressbar")
    expect(progress).to_be_visible()
    expect(seen.page.locator(".outputs")).to_have_attribute("aria-busy", "true")
    expect(seen.tile("depth").locator("canvas")).to_have_count(2)  # what was there stays
    before = float(progress.get_attribute("value") or 0)
    expect(progress).not_to_have_attribute("value", f"{before:.3f}")
    for route in held:
        route.continue_()
    seen.page.unroute("**/subnet")
    seen.settled()
    expect(progress).to_have_count(0)


def test_another_model_or_fewer_settings_end_what_is_awaited(look: Open) -> None:
    seen = look(model="tiny").settled()
    for leaves in (
        lambda: seen.page.get_by_role("combobox", name="Model").select_option("timed"),
        lambda: seen.button("Compare").click(),
    ):
        seen.page.route("**/subnet", lambda _: None)  # is never answered
        with seen.page.expect_request("**/subnet"):
            seen.button("Compare").click()
        leaves()
        seen.page.unroute("**/subnet")
        seen.settled()
        expect(seen.page.get_by_role("radio", name="Setting B")).to_have_count(0)


def test_a_model_that_failed_to_load_can_be_tried_again(seen: Looking) -> None:
    model = seen.page.get_by_role("combobox", name="Model")
    failure = {"detail": "the disk is gone"}
    seen.page.route("**/models/timed", lambda r: r.fulfill(status=500, json=failure), times=1)
    model.select_option("timed")
    expect(seen.alert).to_contain_text("The disk is gone.")
    expect(model).to_have_value("timed")
    seen.button("Try again").click()
    expect(seen.alert).to_have_count(0)
    expect(seen.page.get_by_role("radio", name="Latency")).to_be_enabled()  # as of "timed" alone
    seen.settled()


def test_a_model_that_nobody_wants_any_more_may_fail(seen: Looking) -> None:
    held: list[Route] = []
    seen.page.route("**/models/rooms", lambda route: held.append(route))
    model = seen.page.get_by_role("combobox", name="Model")
    with seen.page.expect_request("**/models/rooms"):
        model.select_option("rooms")
    model.select_option("timed")
    expect(seen.page.get_by_role("radio", name="Latency")).to_be_enabled()
    with seen.page.expect_response("**/models/rooms"):
        held[0].fulfill(status=500, json={})
    seen.settled()
    expect(seen.alert).to_have_count(0)
    expect(model).to_have_value("timed")


def test_a_picture_can_be_opened_by_button(seen: Looking, tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_bytes(encoded(picture(60, 40)))
    seen.page.get_by_label(OWN).set_input_files(tmp_path / "mine.png")
    expect(seen.page.get_by_text("60 × 40")).to_be_visible()
    canvas = seen.tile("depth").locator("canvas")
    expect(canvas).to_have_count(1)  # there is no truth
    expect(canvas).to_have_js_property("width", 60)
    expect(seen.page.get_by_text("Measured on this picture")).to_have_count(0)


@pytest.fixture
def opener(look: Open) -> Looking:
    """One with pictures of their own. `made` counts those opened, `urls` are those still held."""
    seen = look().settled()
    seen.page.evaluate(
        """() => {
            const { createObjectURL: make, revokeObjectURL: drop } = URL;
            window.urls = new Set();
            window.made = 0;
            URL.createObjectURL = (blob) => {
                const url = make(blob);
                urls.add(url);
                made++;
                return url;
            };
            URL.revokeObjectURL = (url) => (urls.delete(url), drop(url));
        }"""
    )
    return seen


def test_a_picture_is_let_go_when_another_is_opened(opener: Looking, tmp_path: Path) -> None:
    for name in ("first.png", "second.png"):
        (tmp_path / name).write_bytes(encoded(picture(60, 40)))
        opener.page.get_by_label(OWN).set_input_files(tmp_path / name)
        expect(opener.page.locator(".tile.input")).to_contain_text(name)
    assert opener.page.evaluate("urls.size") == 1
    opener.button("Example 1").click()
    assert opener.page.evaluate("urls.size") == 0
    opener.settled()


def test_a_picture_that_opens_late_does_not_take_the_place_of_a_later_choice(
    opener: Looking, tmp_path: Path
) -> None:
    opener.page.evaluate(
        """() => {
            const open = createImageBitmap;
            window.held = new Promise((release) => (window.release = release));
            window.createImageBitmap = async (file) => (await held, open(file));
        }"""
    )
    (tmp_path / "late.png").write_bytes(encoded(picture(60, 40)))
    opener.page.get_by_label(OWN).set_input_files(tmp_path / "late.png")
    opener.button("Example 2").click()
    opener.page.evaluate("release()")
    opener.page.wait_for_function("() => made === 1 && urls.size === 0")
    expect(opener.page.locator(".tile.input")).to_contain_text("Example 2")
    opener.settled()


def test_nothing_that_was_said_of_another_picture_stands_beside_one(seen: Looking) -> None:
    expect(seen.tile("depth").locator("canvas")).to_have_count(2)
    expect(seen.page.get_by_text("Measured on this picture")).to_be_visible()
    seen.page.route("**/predict", lambda r: r.fulfill(status=500, json={}), times=1)
    seen.button("Example 2").click()
    expect(seen.alert).to_be_visible()
    expect(seen.page.get_by_role("img", name="predicted")).to_have_count(0)
    expect(seen.page.get_by_text("Measured on this picture")).to_have_count(0)
    seen.button("Try again").click()
    expect(seen.page.get_by_text("Measured on this picture")).to_be_visible()


def test_a_picture_can_be_dropped(seen: Looking) -> None:
    data = seen.page.evaluate_handle(
        """(bytes) => {
            const transfer = new DataTransfer();
            const blob = new Uint8Array(bytes);
            transfer.items.add(new File([blob], "dropped.png", { type: "image/png" }));
            return transfer;
        }""",
        list(encoded(picture(70, 30))),
    )
    panel = seen.page.locator(".pictures")
    panel.dispatch_event("dragover", {"dataTransfer": data})
    expect(panel).to_have_class(re.compile("over"))
    panel.dispatch_event("drop", {"dataTransfer": data})
    expect(seen.page.locator(".tile.input")).to_contain_text("dropped.png")
    expect(seen.tile("depth").locator("canvas")).to_have_js_property("width", 70)


def test_two_settings_stand_beside_each_other(look: Open, shoot: Shoot) -> None:
    seen = look(model="rooms", width=1440).settled()
    seen.button("Compare").click()
    seen.settled(settings=2)
    expect(seen.tile("depth").locator("canvas")).to_have_count(3)  # A, B, and the truth
    assert float(seen.fact("GMACs", "B")) < float(seen.fact("GMACs", "A"))
    first = seen.fact("GMACs", "A")
    seen.button("Only depth").click()  # the dials move B
    expect(seen.page.locator(".line")).to_have_count(2)
    seen.complete(settings=2)
    assert seen.fact("GMACs", "A") == first
    expect(seen.page.locator(".here")).to_have_count(2)
    expect(seen.page.get_by_role("columnheader", name="Measured B")).to_be_visible()
    shoot(seen, "page-compare", whole=True, settings=2)
    seen.page.get_by_role("radio", name="Setting A").check(force=True)
    expect(seen.task("depth")).to_have_attribute("aria-valuetext", "0.50")
    seen.button("Compare").click()
    seen.settled()


def test_a_budget_that_is_infeasible_is_explained_and_can_be_mended(seen: Looking) -> None:
    seen.type_budget("0.0000001")
    expect(seen.alert).to_contain_text(re.compile(r"done\. A budget of .* budgets lie .* GMACs\."))
    seen.button("Use the least").click()
    expect(seen.budget).to_have_value("0")
    expect(seen.alert).to_have_count(0)
    seen.settled()


def choose(seen: Looking, setting: str) -> None:
    """The dials move this setting from now on."""
    seen.page.get_by_role("radio", name=f"Setting {setting}").check(force=True)


def test_while_comparing_a_problem_is_named_and_mended_where_it_is(seen: Looking) -> None:
    seen.button("Compare").click()
    seen.type_budget("0.0000001")
    expect(seen.alert).to_contain_text("B: This cannot be done.")
    choose(seen, "A")
    seen.button("Use the least").click()
    expect(seen.alert).to_have_count(0)
    expect(seen.budget).to_have_value("20")
    choose(seen, "B")
    expect(seen.budget).to_have_value("0")


def test_what_happens_to_both_settings_alike_is_said_and_mended_once(seen: Looking) -> None:
    seen.button("Compare").click()
    for setting in "AB":
        choose(seen, setting)
        seen.type_budget("0.0000001")
    expect(seen.alert).to_have_text(re.compile("^This cannot be done"), use_inner_text=True)
    seen.button("Use the least").click()
    expect(seen.alert).to_have_count(0)
    for setting in "AB":
        choose(seen, setting)
        expect(seen.budget).to_have_value("0")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("large.png", encoded(picture(900, 900)), "too many pixels"),
        ("letter.png", b"Dear service", "Not an image"),
    ],
)
def test_a_picture_that_cannot_be_used_is_explained(
    seen: Looking, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    seen.page.get_by_label(OWN).set_input_files(tmp_path / name)
    expect(seen.alert).to_contain_text("This picture cannot be used.")
    expect(seen.alert).to_contain_text(words)
    seen.button("Example 1").click()
    expect(seen.alert).to_have_count(0)


def test_a_large_picture_is_scaled_down_before_it_is_sent(seen: Looking, tmp_path: Path) -> None:
    (tmp_path / "wide.png").write_bytes(encoded(picture(4000, 1000)))
    seen.page.get_by_label(OWN).set_input_files(tmp_path / "wide.png")
    expect(seen.page.get_by_text("4000 × 1000, sent at 1024 × 256")).to_be_visible()
    expect(seen.tile("depth").locator("canvas")).to_have_js_property("width", 1024)


def test_a_service_that_is_gone_is_waited_for(
    look: Open, models_root: Path, tmp_path: Path
) -> None:
    arguments = ["--models-root", str(models_root)]
    with serving(arguments, tmp_path) as process:
        seen = look(url=process.url).settled()
        port = process.url.rpartition(":")[2]
    seen.budget.press("End")
    expect(seen.alert).to_contain_text("cannot be reached")
    with serving([*arguments, "--port", port], tmp_path):
        expect(seen.alert).to_have_count(0)
        seen.settled()
        expect(seen.budget).to_have_value("40")


def test_an_answer_that_is_not_the_service_s_is_said_to_be_none_of_its_own(seen: Looking) -> None:
    seen.page.route("**/predict", lambda r: r.fulfill(body="<html>Log in</html>"), times=1)
    seen.button("Example 2").click()
    expect(seen.alert).to_contain_text("The answer is not this service's.")
    seen.button("Try again").click()
    expect(seen.alert).to_have_count(0)
    seen.settled()


def test_a_service_without_models_says_so(look: Open) -> None:
    def prepare(page: Page) -> None:
        page.route("**/models", lambda route: route.fulfill(json={"models": []}), times=1)

    seen = look(prepare=prepare)
    expect(seen.alert).to_contain_text("This service has no models.")
    seen.button("Try again").click()
    seen.settled()


def test_a_browser_that_keeps_nothing_shows_the_page_as_any_other(look: Open) -> None:
    denied = """for (const name of ["sessionStorage", "localStorage"])
        Object.defineProperty(window, name, {
            get() { throw new DOMException("denied", "SecurityError"); }
        });"""

    def prepare(page: Page) -> None:
        page.add_init_script(denied)
        page.route("**/models", without_key)

    seen = look(prepare=prepare)
    seen.page.get_by_label("API key").fill("good")
    seen.button("Use this key").click()
    seen.settled()
    seen.page.get_by_role("combobox", name="Theme").select_option("dark")
    expect(seen.status).to_have_text("Theme: dark", ignore_case=True)


def test_a_key_is_asked_for_where_one_is_needed(
    look: Open, models_root: Path, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"

    def new(name: str, *scopes: Scope) -> str:
        return change_keys(file, lambda keys: keys.with_new(name, scopes, "2026-01-01"))

    weak, good = new("weak", "predict"), new("good", "predict", "subnet")
    environ = {**os.environ, "SLIMDIAL_API_KEYS_FILE": str(file)}
    with serving(["--models-root", str(models_root)], tmp_path, environ=environ) as process:
        seen = look(url=process.url)
        dialog, key = seen.page.get_by_role("dialog"), seen.page.get_by_label("API key")
        expect(key).to_be_focused()
        for refused, words in (("wrong", "not known here"), (weak, "the scope 'subnet'")):
            key.fill(refused)
            seen.button("Use this key").click()
            expect(dialog).to_contain_text("not taken")
            expect(dialog).to_contain_text(words)
        key.fill(good)
        key.press("Enter")
        seen.settled()
        assert seen.page.evaluate("sessionStorage.getItem('slimdial-key')") == good
        assert good not in seen.page.content()
        keyed = {"SLIMDIAL_API_KEY": good}
        answer = json.loads(pasted(seen, "curl", tmp_path, keyed))
        assert pasted(seen, "Python", tmp_path, keyed).split()[0] == answer["subnet_id"]

        change_keys(file, lambda keys: (keys.without("good"), None))
        while httpx.get(f"{process.url}/models", headers={"x-api-key": good}).is_success:
            pass
        seen.budget.press("End")
        expect(dialog).to_contain_text("may have been revoked")


def without_key(route: Route) -> None:
    """As a service with keys answers one who brings none."""
    if "authorization" in route.request.headers:
        route.continue_()
    else:
        route.fulfill(status=401, json={"detail": "a key is needed"})


def test_a_key_that_no_header_can_hold_is_refused_and_never_used(look: Open) -> None:
    seen = look(prepare=lambda page: page.route("**/models", without_key))
    dialog, key = seen.page.get_by_role("dialog"), seen.page.get_by_label("API key")
    key.fill("good\u200b")
    key.press("Enter")
    expect(dialog).to_contain_text("of ASCII, without spaces")
    seen.page.evaluate("sessionStorage.setItem('slimdial-key', 'good\u200b')")
    seen.page.reload()
    expect(dialog).to_contain_text("Whoever runs it gives you one.")
    key.fill("good")
    key.press("Enter")
    seen.settled()


def test_a_key_is_asked_for_again_after_the_question_was_closed(look: Open) -> None:
    seen = look(prepare=lambda page: page.route("**/models", without_key))
    expect(seen.page.get_by_label("API key")).to_be_focused()
    for _ in range(2):
        seen.page.keyboard.press("Escape")
        expect(seen.page.get_by_role("dialog")).to_have_count(0)
        seen.button("Try again").click()
        expect(seen.page.get_by_label("API key")).to_be_focused()


def test_a_budget_of_milliseconds_is_dialled_where_there_is_a_profile(
    look: Open, page_url: str
) -> None:
    seen = look(model="timed").settled()
    seen.page.get_by_role("radio", name="Latency").check(force=True)
    seen.budget.press("End")
    seen.settled()
    limits = httpx.get(f"{page_url}/models/timed").json()["budgets"]["latency_ms"]
    most = float(seen.exact.input_value())
    assert most == pytest.approx(limits["max"], rel=1e-3)
    expect(seen.budget).to_have_attribute("aria-valuetext", re.compile(r" ms$"))

    seen.type_budget(f"{(limits['min'] + limits['max']) / 2:.4g}")
    seen.complete()
    body = {"model": "timed", "budget": {"latency_ms": float(seen.exact.input_value())}}
    preference = dict.fromkeys(KINDS, 0.5)
    subnet = httpx.post(f"{page_url}/subnet", json=body | {"preference": preference}).json()
    assert subnet["cache"] == "hit"
    assert float(seen.fact("GMACs")) == pytest.approx(subnet["gmacs"], rel=1e-2)
    expect(seen.page.locator(".axis")).to_contain_text("milliseconds")
    expect(seen.page.locator("pre").first).to_contain_text('"latency_ms"')


def test_the_onnx_file_is_that_of_the_sub_network(seen: Looking, page_url: str) -> None:
    with seen.page.expect_download() as download:
        seen.button("Download ONNX").click()
    name = download.value.suggested_filename
    found = re.fullmatch(r"tiny-1-([0-9a-f]{32})\.onnx", name)
    assert found
    subnet = httpx.get(f"{page_url}/subnet/{found[1]}").json()
    assert hashlib.sha256(download.value.path().read_bytes()).hexdigest() == subnet["sha256"]


@pytest.mark.parametrize("own", [False, True])
def test_what_is_copied_does_what_the_page_does(seen: Looking, tmp_path: Path, own: bool) -> None:
    (tmp_path / "it's mine.png").write_bytes(encoded(picture()))
    if own:
        seen.page.get_by_label(OWN).set_input_files(tmp_path / "it's mine.png")
        expect(seen.tile("depth").locator("canvas")).to_have_count(1)
    seen.settled()
    with seen.page.expect_download() as download:
        seen.button("Download ONNX").click()
    answer: dict[str, Any] = json.loads(pasted(seen, "curl", tmp_path))
    assert set(answer["outputs"]) == set(KINDS)
    assert ("measured" in answer) is not own
    assert pasted(seen, "Python", tmp_path).split()[0] == answer["subnet_id"]
    assert (tmp_path / "tiny.onnx").read_bytes() == download.value.path().read_bytes()


def pasted(seen: Looking, name: str, folder: Path, environ: Mapping[str, str] = {}) -> str:
    """What a snippet prints, copied by its button and run in a folder."""
    seen.button(f"Copy {name}").click()
    expect(seen.status).to_have_text(f"{name} copied")
    done = subprocess.run(
        [*SHELLS[name], seen.page.evaluate("navigator.clipboard.readText()")],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
