"""What tests of the page look at: its console, accessibility, and what is drawn."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, Request, expect

__all__ = ["PageWatch", "assert_accessible", "drawn_colours", "layer_now", "wait_for_vectors"]

# A busy machine is no failure.
expect.set_options(timeout=60_000)

_AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"


class PageWatch:
    """Notes errors and warnings of a page, and every request to another host.

    Args:
        page: The page, before it goes anywhere.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        # Chromium notes every answer with an error status; tests of such states expect them.
        if re.match(
            r"Failed to load resource: the server responded with a status of", message.text
        ):
            return
        self.said.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not re.match(r"(https?://127\.0\.0\.1[:/]|blob:|data:)", request.url):
            self.said.append(f"asked another host: {request.url}")


@cache
def _axe_source() -> str:
    return _AXE.read_text(encoding="utf-8")


def assert_accessible(page: Page) -> None:
    """No finding of axe (WCAG 2.2 A and AA, and best practice) on what is shown now."""
    page.evaluate(_axe_source())
    found: dict[str, Any] = page.evaluate("() => axe.run({ resultTypes: ['violations'] })")
    told = [
        f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:4]]}"
        for one in found["violations"]
    ]
    assert told == [], f"{page.url}: " + "\n".join(told)


def wait_for_vectors(page: Page, layer: int) -> None:
    """Until the vectors of a layer are drawn."""
    expect(page.locator(f'.layer-bed canvas[data-shown$="\\a {layer}"]')).to_be_visible()


def drawn_colours(page: Page) -> int:
    """How many different colours of more than a few pixels the layer view shows."""
    found: int = page.locator(".layer-bed canvas").evaluate(
        """(canvas) => {
            const { width, height } = canvas;
            const copy = new OffscreenCanvas(width, height);
            const context = copy.getContext("2d", { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            const { data } = context.getImageData(0, 0, width, height);
            const counts = new Map();
            for (const pixel of new Uint32Array(data.buffer)) {
                counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
            }
            return [...counts.values()].filter((count) => count > 60).length;
        }"""
    )
    return found


def layer_now(page: Page) -> int:
    """The layer that is shown."""
    return int(page.get_by_role("slider", name="Layer").get_attribute("aria-valuenow") or "-1")
