"""The page by keyboard, on a phone, light and dark, and for screen readers."""

import re
from collections.abc import Callable
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from tests.service.page.conftest import Open
from tests.service.page.looking import Looking

Shoot = Callable[..., None]
TASKS = 20
PHONE = 390

# WCAG 2.2 at level AA, and what is good practice beside.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    return [
        f"{v['id']}: {node['html'][:120]} {node['failureSummary']}"
        for v in found.response["violations"]
        for node in v["nodes"]
    ]


def background(page: Page) -> int:
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(n) for n in re.findall(r"\d+", colour)[:3])


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", PHONE)])
def test_nothing_stands_in_anybody_s_way(
    look: Open, scheme: Literal["light", "dark"], width: int
) -> None:
    seen = look(scheme=scheme, width=width).complete()
    seen.page.locator("summary").first.click()
    seen.button("Compare").click()
    seen.type_budget("0.0000001")
    expect(seen.alert).to_be_visible()
    assert violations(seen.page) == []


def test_everything_can_be_done_by_keyboard(look: Open) -> None:
    seen = look().settled()
    reached: list[str] = []

    def tab_to(what: str) -> None:
        for _ in range(60):
            seen.page.keyboard.press("Tab")
            reached.append(
                seen.page.evaluate(
                    "(e => e.ariaLabel ?? e.labels?.[0]?.innerText ?? "
                    "e.querySelector('img')?.alt ?? e.innerText)(document.activeElement)"
                ).strip()
            )
            if reached[-1].startswith(what):
                return
        pytest.fail(f"{what!r} was not reached; found {reached}")

    press = seen.page.keyboard.press
    tab_to("Skip to the dials")
    press("Enter")
    tab_to("Compare")
    press("Space")
    seen.settled(settings=2)
    tab_to("Budget")
    press("End")
    seen.settled(settings=2)
    assert float(seen.fact("GMACs", "B")) > float(seen.fact("GMACs", "A"))
    tab_to("depth")
    press("ArrowRight")
    seen.settled(settings=2)
    expect(seen.task("depth")).to_have_attribute("aria-valuetext", "0.55")
    tab_to("Download ONNX")
    with seen.page.expect_download():
        press("Enter")
    seen.page.reload()
    seen.settled()
    tab_to("Model")
    tab_to("Example 2")
    press("Enter")
    expect(seen.button("Example 2")).to_have_attribute("aria-pressed", "true")
    tab_to("Open a picture")
    # Where the focus is can be seen.
    outline = "getComputedStyle(document.activeElement.parentElement).outlineStyle"
    assert seen.page.evaluate(outline) == "solid"


def test_a_sub_network_is_said_anew_though_it_is_said_alike(look: Open) -> None:
    seen = look().settled()
    held: list[Route] = []
    seen.page.route("**/subnet", lambda route: held.append(route))
    before = seen.status.inner_text()
    with seen.page.expect_request("**/subnet"):
        seen.button("All alike").click()  # as they are
    expect(seen.status).to_be_empty()
    held[0].continue_()
    expect(seen.status).to_have_text(before)


def test_a_phone_shows_outputs_and_dials_together(look: Open, shoot: Shoot) -> None:
    seen = look(model="rooms", width=PHONE, height=844).settled()
    check_phone(seen)
    shoot(seen, "page-phone")


def check_phone(seen: Looking) -> None:
    """Nothing is cut off, and who turns a dial sees what comes of it."""
    assert seen.page.evaluate("document.documentElement.scrollWidth") == PHONE
    seen.budget.scroll_into_view_if_needed()
    expect(seen.budget).to_be_in_viewport()
    expect(seen.page.locator(".tile:not(.input)").first).to_be_in_viewport()


def test_twenty_tasks_are_as_usable_as_five(look: Open, shoot: Shoot) -> None:
    seen = look(model="caltech100", width=1440).settled()
    expect(seen.page.get_by_role("slider")).to_have_count(1 + TASKS)
    expect(seen.page.locator(".tile[data-task]")).to_have_count(TASKS)
    expect(seen.page.get_by_text("synthetic ones")).to_be_visible()
    seen.button("Only wheelchair-yin_yang").click()
    expect(seen.task("wheelchair-yin_yang")).to_be_in_viewport()
    expect(seen.task("wheelchair-yin_yang")).to_have_attribute("aria-valuetext", "1.00")
    curve = seen.page.get_by_role("combobox", name="Task of the curve")
    expect(curve).to_have_value("wheelchair-yin_yang")
    assert violations(seen.page) == []
    shoot(seen, "page-twenty")
    seen.page.set_viewport_size({"width": PHONE, "height": 844})
    check_phone(seen)


def test_the_theme_follows_the_system_unless_it_is_chosen(look: Open, shoot: Shoot) -> None:
    seen = look(model="rooms", scheme="dark", width=1440)
    dark = background(seen.page)
    shoot(seen, "page-dark")
    seen.page.emulate_media(color_scheme="light")
    light = background(seen.page)
    assert dark < 150 < light
    seen.page.get_by_role("combobox", name="Theme").select_option("dark")
    assert background(seen.page) == dark
    seen.page.reload()
    assert background(seen.page) == dark
    expect(seen.page.get_by_role("combobox", name="Theme")).to_have_value("dark")
    seen.page.get_by_role("combobox", name="Theme").select_option("auto")
    assert background(seen.page) == light
