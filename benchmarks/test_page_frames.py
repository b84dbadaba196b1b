"""The web page under the hand: frames while a layer of a million vectors and 5,000 layers move.

Frames are counted by the page itself, in Chromium without a GPU; data come from a process of their
own. A still picture, which shows that the machine has time at all, stands beside. Results go to
``benchmarks/results/page_frames.json``.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.comparison import recorded
from playwright.sync_api import Page, sync_playwright

from pbf_ray.http.page import PAGE_FOLDER
from support.page_checks import drawn_colours, layer_now, wait_for_vectors
from support.page_server import serve_canned

LAYERS = 5000
VECTORS = int(os.environ.get("PBF_RAY_BENCH_VECTORS", "1000000"))
STEPS = 150

pytestmark = pytest.mark.timeout(900)

_BEGIN = """() => {
    const frames = [];
    let last = null;
    const note = (now) => {
        if (last !== null) frames.push(now - last);
        last = now;
        window.noted = { frames, request: requestAnimationFrame(note) };
    };
    requestAnimationFrame(note);
}"""
_END = "() => { cancelAnimationFrame(window.noted.request); return window.noted.frames; }"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    if not (PAGE_FOLDER / "index.html").is_file():
        pytest.fail("the web page was not built: make web")
    apart = multiprocessing.get_context("spawn")
    told: Any = apart.Queue()
    process = apart.Process(
        target=serve_canned, args=(PAGE_FOLDER, told), kwargs={"layers": LAYERS, "vectors": VECTORS}
    )
    process.start()
    yield told.get(timeout=120)
    process.terminate()
    process.join()


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Page]:
    chromium = shutil.which(os.environ.get("PBF_RAY_CHROMIUM", "chromium"))
    with sync_playwright() as playwright:
        alone = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=alone)
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(120_000)
        page.goto(f"{address}/build?build=M01-B002&layer=41")
        wait_for_vectors(page, 41)
        yield page
        browser.close()


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Any]]:
    with recorded("page_frames", ("playwright",), layers=LAYERS, vectors=VECTORS) as found:
        yield found


def _frames(results: dict[str, Any], name: str, page: Page, move: Callable[[], None]) -> None:
    page.evaluate(_BEGIN)
    move()
    times = sorted(page.evaluate(_END))
    assert len(times) > 10
    drawn_ms = page.locator(".layer-bed canvas").get_attribute("data-draw-ms")
    results[name] = {
        "frames_per_s": round(1000 * len(times) / sum(times), 1),
        "median_ms": round(times[len(times) // 2], 1),
        "p95_ms": round(times[int(len(times) * 0.95)], 1),
        "longest_ms": round(times[-1], 1),
        "last_picture_ms": float(drawn_ms or "nan"),
    }


def test_moving_and_scrubbing(page: Page, results: dict[str, Any]) -> None:
    assert drawn_colours(page) >= 2
    _frames(results, "still", page, lambda: page.wait_for_timeout(2000))

    bed = page.locator(".layer-bed canvas").bounding_box()
    assert bed
    x, y = bed["x"] + bed["width"] / 2, bed["y"] + bed["height"] / 2

    def pan() -> None:
        page.mouse.move(x, y)
        page.mouse.down()
        for step in range(STEPS):
            page.mouse.move(x + 150 * math.sin(step / 15), y + 60 * math.cos(step / 10))
        page.mouse.up()

    def zoom() -> None:
        for step in range(STEPS):
            page.mouse.wheel(0, -40 if step < STEPS / 2 else 40)

    _frames(results, f"move over {VECTORS} vectors", page, pan)
    _frames(results, f"zoom into {VECTORS} vectors", page, zoom)

    strip = page.get_by_role("slider", name="Layer").bounding_box()
    assert strip

    def scrub() -> None:
        page.mouse.move(strip["x"] + 2, strip["y"] + 20)
        page.mouse.down()
        for step in range(STEPS):
            page.mouse.move(strip["x"] + 2 + step / STEPS * (strip["width"] - 4), strip["y"] + 20)
        page.mouse.up()

    _frames(results, f"scrub {LAYERS} layers", page, scrub)
    assert layer_now(page) > LAYERS * 0.95
    wait_for_vectors(page, layer_now(page))
    Path("build/screenshots").mkdir(parents=True, exist_ok=True)
    page.screenshot(path="build/screenshots/million.png")
