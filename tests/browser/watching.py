"""What a reader's browser tells of a page: faults, sizes, where the keyboard is, and what axe-core finds."""

from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import ConsoleMessage, Page, Request, Response

MOST_BYTES = 100_000
"""Of a page with everything that it loads."""
LOOK = """() => ({
  sideways: document.documentElement.scrollWidth - innerWidth,
  title: document.title.replace("Rejoinder ·", "").trim(),
  headings: document.querySelectorAll("h1").length,
  language: document.documentElement.lang,
  ran: window.ran ?? null,
  bytes: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter((one) => !one.name.includes("/events"))
    .reduce((sum, one) => sum + one.encodedBodySize, 0),
})"""
FOCUS = """() => {
  const one = document.activeElement;
  if (!one || one === document.body || one === document.documentElement) return null;
  const ring = (node) => {
    const style = getComputedStyle(node);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  };
  const box = one.getBoundingClientRect();
  const seen = box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  const around = one.closest("label");
  return { what: one.outerHTML.slice(0, 160), good: seen && (ring(one) || Boolean(around && ring(around))) };
}"""
VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));"""


@dataclass
class Watch:
    """Everything that goes wrong on a page from now on."""

    page: Page
    faults: list[str] = field(default_factory=list)

    async def begin(self) -> None:
        await self.page.add_init_script(VIOLATIONS)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def _said(self, line: ConsoleMessage) -> None:
        if line.type in ("error", "warning"):
            self.faults.append(f"console: {line.text}")

    def _failed(self, request: Request) -> None:
        # What a page still waits for is broken off as its reader goes on to the next.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"failed: {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status}: {response.url}")

    def taken(self) -> list[str]:
        """What was seen so far, and is forgotten now."""
        seen, self.faults = self.faults, []
        return seen


async def look(page: Page) -> dict[str, Any]:
    """`sideways`: pixels that the page is too wide; `bytes`: of it and all that it has loaded."""
    await page.wait_for_load_state("load")
    found: dict[str, Any] = await page.evaluate(LOOK)
    return found


async def unseen_stops(page: Page, most: int = 40) -> list[str]:
    """What Tab leads to without showing it, among the first `most`."""
    found: list[str] = []
    before = ""
    for _ in range(most):
        await page.keyboard.press("Tab")
        stop = await page.evaluate(FOCUS)
        if stop is None:
            break
        # The parts of a date are shown by the browser's own field.
        if not stop["good"] and stop["what"] != before:
            found.append(stop["what"])
        before = stop["what"]
    return found


async def barriers(page: Page) -> list[str]:
    """Serious and critical faults that axe-core finds, with where they are."""
    results = await Axe().run(page, options={"resultTypes": ["violations", "incomplete"]})
    found = [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for rule in results.response["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    return found + _same_colours(results.response["incomplete"])


def _same_colours(unsure: list[dict[str, Any]]) -> list[str]:
    """Text in the colour that it stands on, which axe-core only wonders about."""
    return [
        f"same colours: {node['html'][:160]}"
        for rule in unsure
        for node in rule["nodes"]
        for check in node["any"]
        if isinstance(check["data"], dict) and check["data"].get("messageKey") == "equalRatio"
    ]
