"""The page in states that a run is seldom in: no data, no server, no token, very much of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import expect

from support.page_checks import (
    assert_accessible,
    drawn_colours,
    layer_now,
    wait_for_vectors,
)
from support.page_data import CannedApi
from support.page_server import PageServer

from .conftest import OpenPage

TOKEN = "pbf_of_a_test"  # noqa: S105


class Servers:
    """Starts servers with canned data; all end with the test."""

    def __init__(self, page: Path, stack: ExitStack) -> None:
        self._page = page
        self._stack = stack

    def start(self, *, token: str | None = None, **data: object) -> PageServer:
        api = CannedApi(time.time(), **data)  # type: ignore[arg-type]
        return self._stack.enter_context(PageServer(self._page, api, token).running())


@pytest.fixture
def servers(page_folder: Path) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(page_folder, stack)


def test_the_modules_of_the_page(repository: Path, page_folder: Path) -> None:
    done = subprocess.run(
        [shutil.which("npm") or "npm", "test", "--silent"],
        cwd=repository / "web",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_token_is_asked_for_and_kept_out_of_addresses(
    servers: Servers, open_page: OpenPage
) -> None:
    server = servers.start(token=TOKEN)
    page = open_page(f"{server.url}/alerts")
    page.get_by_role("textbox", name="Token").fill("wrong")
    page.get_by_role("button", name="Go on").click()
    # A wrong one is asked for again.
    page.get_by_role("textbox", name="Token").fill(TOKEN)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("list", name="Alerts").get_by_role("listitem").first).to_be_visible()
    assert not [path for path in server.asked if TOKEN in path]
    page.reload()
    expect(page.get_by_role("list", name="Alerts").get_by_role("listitem").first).to_be_visible()
    assert TOKEN not in page.url


def test_nothing_there_says_what_to_do(servers: Servers, open_page: OpenPage) -> None:
    server = servers.start(machines=())
    page = open_page(server.url)
    expect(page.get_by_text("No machine has sent a record yet")).to_be_visible()
    expect(page.get_by_text("pbf-ray simulate")).to_be_visible()
    page.goto(f"{server.url}/build?build=gone")
    expect(page.get_by_role("alert").first).to_contain_text("GET /api/v1/builds lists them")
    page.goto(f"{server.url}/nowhere")
    expect(page.get_by_text("There is no such page")).to_be_visible()
    assert_accessible(page)


def test_a_store_that_fails_is_told_and_comes_back(servers: Servers, open_page: OpenPage) -> None:
    server = servers.start()
    server.broken["/machines"] = 500
    page = open_page(server.url)
    told = page.get_by_role("alert")
    expect(told).to_contain_text("the store does not answer")
    expect(told).to_contain_text("Look at its log")
    assert_accessible(page)
    server.broken.clear()
    told.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("list", name="Machines").get_by_role("listitem")).to_have_count(3)
    # Silence is worse than a warning.
    first = page.get_by_role("list", name="Machines").get_by_role("listitem").first
    expect(first).to_contain_text("missing")


def test_five_thousand_layers_and_many_vectors(
    servers: Servers, open_page: OpenPage, screenshots: Path
) -> None:
    server = servers.start(layers=5000, vectors=300_000)
    page = open_page(f"{server.url}/build?build=M01-B002&layer=41", size=(1600, 1000))
    wait_for_vectors(page, 41)
    expect(page.get_by_role("region", name="Layer view")).to_contain_text("301\u202f083 vectors")
    of_kinds = drawn_colours(page)
    assert of_kinds >= 2, "hatch and contour"
    page.get_by_label("colour by").select_option("power")
    expect(page.get_by_text("215\u202fW")).to_be_visible()
    page.screenshot(path=screenshots / "large.png")
    assert drawn_colours(page) > of_kinds, "a colour for each power"
    page.get_by_label("hatch").uncheck()
    page.get_by_label("contour").uncheck()
    expect(page.locator(".layer-bed canvas")).to_have_attribute("data-hidden", "contour,hatch,jump")
    # The whole build is under the hand, and the layers flown past are not asked for.
    strip = page.get_by_role("slider", name="Layer")
    box = strip.bounding_box()
    assert box
    asked = len(server.asked)
    page.mouse.move(box["x"] + 10, box["y"] + 30)
    page.mouse.down()
    # Faster than any hand, on any machine: all within one task of the page.
    strip.evaluate(
        """(strip) => {
            const { left } = strip.getBoundingClientRect();
            for (let x = 10; x < 1200; x += 10) {
                const at = { clientX: left + x, buttons: 1, bubbles: true };
                strip.dispatchEvent(new PointerEvent("pointermove", at));
            }
        }"""
    )
    page.mouse.move(box["x"] + 1180, box["y"] + 30)
    page.mouse.up()
    expect(strip).to_have_attribute("aria-valuenow", re.compile("^(3[5-9]|4[0-9])[0-9]{2}$"))
    wait_for_vectors(page, layer_now(page))
    of_vectors = [path for path in server.asked[asked:] if "/vectors" in path]
    assert 1 <= len(of_vectors) <= 4, "where the hand went down, and where it rested"
    expect(page).to_have_url(re.compile(f"layer={layer_now(page)}"))


def test_keys_and_their_help(servers: Servers, open_page: OpenPage, screenshots: Path) -> None:
    server = servers.start(layers=60)
    page = open_page(f"{server.url}/build?build=M01-B002&layer=41&compare=before")
    expect(page.get_by_text("Δ mean")).to_be_visible()
    for key, wanted in (
        ("ArrowLeft", 40), ("Shift+ArrowRight", 50), ("[", 49), ("Home", 0), ("]", 4), ("End", 59),
    ):  # fmt: skip
        page.keyboard.press(key)
        expect(page.get_by_role("slider", name="Layer")).to_have_attribute(
            "aria-valuenow", str(wanted)
        )
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keys")
    expect(help_).to_contain_text("next layer with anomalies")
    page.screenshot(path=screenshots / "help.png")
    assert_accessible(page)
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("a")
    alerts = page.get_by_role("list", name="Alerts").get_by_role("listitem")
    expect(alerts.first).to_contain_text("layer 41")
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.get_by_label("Comment (may be empty)").fill("recoater checked")
    page.keyboard.press("Enter")
    expect(alerts.first).not_to_contain_text("layer 41")
    assert [one["comment"] for one in server.api.acknowledged.values()] == ["recoater checked"]


def test_on_a_phone_nothing_is_wider_than_the_screen(
    servers: Servers, open_page: OpenPage, screenshots: Path
) -> None:
    server = servers.start(layers=60)
    for name in ("fleet", "build", "anomalies", "alerts", "health", "decisions"):
        path = "" if name == "fleet" else f"{name}?build=M01-B002"
        page = open_page(f"{server.url}/{path}", size=(390, 844), scheme="dark")
        expect(page.get_by_text("M01-B002").first).to_be_visible()
        wide = page.evaluate("() => document.documentElement.scrollWidth")
        page.screenshot(path=screenshots / f"phone-{name}.png")
        assert wide <= 390, name


def test_a_new_layer_is_followed_without_asking(servers: Servers, open_page: OpenPage) -> None:
    server = servers.start(layers=20)
    page = open_page(f"{server.url}/build?build=M01-B002")
    wait_for_vectors(page, 19)
    pinned = open_page(f"{server.url}/build?build=M01-B002&layer=7")
    wait_for_vectors(pinned, 7)
    asked = len(server.asked)
    server.next_layer()
    wait_for_vectors(page, 20)
    assert layer_now(pinned) == 7
    layers = [path for path in server.asked[asked:] if path.startswith("/builds/M01-B002/layers?")]
    assert layers
    assert all("first=19&last=20" in path for path in layers), "only what changed"
