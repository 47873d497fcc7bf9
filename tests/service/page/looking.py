"""What a visitor sees and does, in the page's own words."""

from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

PATIENCE_MS = 30_000
"""A sub-network is cut out meanwhile, on a machine that may be busy."""

expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Looking:
    """An open page."""

    page: Page

    @property
    def budget(self) -> Locator:
        """The budget's dial."""
        return self.page.get_by_role("slider", name="Budget", exact=True)

    @property
    def exact(self) -> Locator:
        """The budget's number."""
        return self.page.get_by_role("spinbutton", name="Budget, exactly")

    @property
    def alert(self) -> Locator:
        """What went wrong."""
        return self.page.get_by_role("alert")

    @property
    def status(self) -> Locator:
        """What a screen reader is told."""
        return self.page.get_by_role("status")

    def task(self, name: str) -> Locator:
        """A task's dial."""
        return self.page.get_by_role("slider", name=name, exact=True)

    def button(self, name: str) -> Locator:
        """A button."""
        return self.page.get_by_role("button", name=name, exact=True)

    def tile(self, task: str) -> Locator:
        """A task's output."""
        return self.page.locator(f".tile[data-task='{task}']")

    def fact(self, name: str, setting: str = "A") -> str:
        """What a setting's sub-network is said to cost."""
        facts = self.page.locator(f".subnet[data-setting={setting}] .facts > div")
        found = facts.filter(has=self.page.get_by_text(name, exact=True)).locator("dd").first
        return found.inner_text()

    def drawn(self) -> "Looking":
        """Waits until what was done last is drawn, in the next frame."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        return self

    def type_budget(self, budget: str) -> None:
        """Types a budget where it is drawn, which would else be drawn over it meanwhile."""
        self.drawn().exact.fill(budget)
        self.exact.press("Enter")

    def settled(self, settings: int = 1) -> "Looking":
        """Waits until every setting's outputs are shown."""
        self.drawn()
        expect(self.page.locator(".outputs")).to_have_attribute("aria-busy", "false")
        expect(self.page.locator(".tile .who, .tile .ranking")).not_to_have_count(0)
        expect(self.page.locator(".subnet")).to_have_count(settings)
        return self

    def complete(self, settings: int = 1) -> "Looking":
        """Waits for what comes after the outputs as well: the curve, and measured latencies."""
        self.settled(settings)
        expect(self.page.locator(".chart svg")).to_be_visible()
        expect(self.page.get_by_text("is measured")).to_have_count(0)
        return self
