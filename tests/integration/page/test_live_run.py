"""The page over a real run of the machine twin, from the first view to a decision."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import expect

from pbf_ray.config import Settings
from pbf_ray.http.app import create_app
from pbf_ray.http.queries import Queries
from pbf_ray.jobs.demo import DemoJob, DemoScale
from pbf_ray.jobs.stream import JobResult
from support.page_checks import assert_accessible, drawn_colours, layer_now, wait_for_vectors

from .conftest import OpenPage

LAYERS = 10


def _build_file(folder: Path, build: str) -> Path:
    """A CLI file of a square with hatch, turned by a quarter from layer to layer."""
    lines = ["$$HEADERSTART", "$$ASCII", "$$UNITS/1", "$$HEADEREND", "$$GEOMETRYSTART"]
    for layer in range(LAYERS):
        lines += [f"$$LAYER/{(layer + 1) * 0.04:.2f}", "$$POWER/200", "$$SPEED/800"]
        lines.append("$$POLYLINE/1,1,5,0,0,10,0,10,10,0,10,0,0")
        ends = [(0.5 + 0.1 * n) for n in range(91)]
        pairs = [
            (0.5, at, 9.5, at) if layer % 2 else (at, 0.5, at, 9.5) for at in ends
        ]  # fmt: skip
        numbers = ",".join(f"{value:.2f}" for pair in pairs for value in pair)
        lines.append(f"$$HATCHES/1,{len(pairs)},{numbers}")
    file = folder / f"{build}.cli"
    file.write_text("\n".join([*lines, "$$GEOMETRYEND", ""]), encoding="ascii")
    return file


@pytest.fixture(scope="module")
def demo(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoJob]:
    """Two machines that print while the test looks on."""
    folder = tmp_path_factory.mktemp("live")
    files = folder / "files"
    files.mkdir()
    _build_file(files, "M01-B001")
    settings = Settings(
        job={"data_dir": folder}, http={"build_files": files}, stream={"epoch_interval_ms": 200}
    )
    with DemoJob(settings, DemoScale(layers=LAYERS, seconds=15.0)) as running:
        yield running


@pytest.fixture(scope="module")
def address(demo: DemoJob, page_folder: Path) -> Iterator[str]:
    """The server over the stores of the demo, while it writes them."""
    queries = Queries(demo.settings)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        config = uvicorn.Config(
            create_app(queries), log_level="warning", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join()
    queries.close()


def test_from_the_first_view_to_a_decision(
    demo: DemoJob, address: str, open_page: OpenPage, screenshots: Path
) -> None:
    page = open_page(address)
    machines = page.get_by_role("list", name="Machines").get_by_role("listitem")
    expect(machines).to_have_count(2, timeout=90_000)
    expect(machines.first).to_contain_text("running")
    page.screenshot(path=screenshots / "fleet.png")
    assert_accessible(page)

    # Live: layers come by themselves.
    page.get_by_role("link", name="M01", exact=True).click()
    expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "true")
    seen = layer_now(page)
    expect(page.get_by_role("slider", name="Layer")).not_to_have_attribute(
        "aria-valuenow", str(seen), timeout=60_000
    )
    assert layer_now(page) > seen

    # Scrub: the strip, and its vectors.
    strip = page.get_by_role("slider", name="Layer")
    strip.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(strip).to_have_attribute("aria-valuenow", "1")
    wait_for_vectors(page, 1)
    assert drawn_colours(page) >= 2
    expect(page.get_by_role("region", name="Layer view")).to_contain_text("95 vectors")
    expect(page.get_by_label("Plan of the layer")).to_contain_text("0.080 mm")
    expect(
        page.get_by_role("img", name=re.compile("^Temperature over time, [0-9]"))
    ).to_be_visible()

    # A deep link shows the same to somebody else.
    page.get_by_label("colour by").select_option("power")
    page.get_by_label("compare with").select_option("before")
    expect(page).to_have_url(re.compile("colour=power.*compare=before"))
    other = open_page(page.url, scheme="dark")
    wait_for_vectors(other, 1)
    expect(other.get_by_label("colour by")).to_have_value("power")
    expect(other.get_by_text("Δ mean")).to_be_visible()
    for one, name in ((page, "build"), (other, "build-dark")):
        one.screenshot(path=screenshots / f"{name}.png", full_page=True)
        assert_accessible(one)
    other.close()

    # An alert is seen by somebody, while others come.
    page.keyboard.press("g")
    page.keyboard.press("a")
    alerts = page.get_by_role("list", name="Alerts").get_by_role("listitem")
    expect(alerts.first).to_be_visible(timeout=60_000)
    alerts.first.get_by_role("button", name="Acknowledge").click()
    comment = page.get_by_label("Comment (may be empty)")
    comment.fill("seen at the machine")
    where = alerts.filter(has=comment).get_by_role("link").inner_text()
    page.screenshot(path=screenshots / "alerts.png", full_page=True)
    assert_accessible(page)
    page.keyboard.press("Enter")
    expect(comment).to_be_hidden()
    page.get_by_role("button", name="acknowledged").click()
    expect(alerts).to_have_count(1)
    expect(alerts.first).to_contain_text("seen at the machine")
    expect(alerts.first).to_contain_text(where)

    # A decision is kept.
    page.goto(f"{address}/decisions?build=M01-B001")
    page.get_by_label("hold").check()
    page.get_by_label("Reason").fill("hot spot in layer 4; CT first")
    page.get_by_role("button", name="Record the decision").click()
    expect(page.get_by_role("status").filter(has_text="Recorded")).to_be_visible()
    page.reload()
    expect(page.get_by_role("region", name="Decisions").get_by_role("listitem")).to_contain_text(
        "hot spot in layer 4; CT first"
    )
    page.screenshot(path=screenshots / "decisions.png")
    assert_accessible(page)

    # What remains: anomalies by their filters, and the health of it all.
    page.goto(f"{address}/anomalies?build=M01-B001")
    rows = page.get_by_role("table", name="Anomalies").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("M01-B001")
    page.get_by_label("Severity").select_option("critical")
    expect(page).to_have_url(re.compile("severity=critical"))
    page.screenshot(path=screenshots / "anomalies.png")
    assert_accessible(page)
    assert _ended(demo).outcome == "finished"
    page.goto(f"{address}/health")
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("finished")
    expect(page.get_by_role("region", name="Partitions").get_by_role("row").nth(1)).to_be_visible()
    page.screenshot(path=screenshots / "health.png", full_page=True)
    assert_accessible(page)


def _ended(demo: DemoJob, deadline_s: float = 240.0) -> JobResult:
    end = time.monotonic() + deadline_s
    while (result := demo.wait(0.2)) is None:
        assert time.monotonic() < end
    return result
