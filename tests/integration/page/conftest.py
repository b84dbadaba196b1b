"""A browser for the built page; what the page says in its console fails the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from support.page_checks import PageWatch

CI = os.environ.get("CI") == "true"

OpenPage = Callable[..., Page]


def _missing(what: str) -> None:
    if CI:
        pytest.fail(f"CI needs it: {what}")
    pytest.skip(what)


@pytest.fixture(scope="session")
def page_folder(repository: Path) -> Path:
    """The built page."""
    folder = repository / "src" / "pbf_ray" / "http" / "page"
    if not (folder / "index.html").is_file():
        _missing("the web page was not built: make web")
    return folder


@pytest.fixture(scope="session")
def screenshots(repository: Path) -> Path:
    """Where pictures of the page are left: build/screenshots."""
    folder = repository / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or the browser that PBF_RAY_CHROMIUM names."""
    found = shutil.which(os.environ.get("PBF_RAY_CHROMIUM", "chromium"))
    if found is None:
        _missing("there is no Chromium: apt-get install chromium, or PBF_RAY_CHROMIUM")
    with sync_playwright() as playwright:
        # Root has no sandbox of its own.
        alone = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=found, args=alone)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens a page; at the end none of them may have said anything wrong."""
    opened: list[PageWatch] = []

    def open_one(url: str, *, size: tuple[int, int] = (1440, 900), scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        context.set_default_timeout(60_000)
        page = context.new_page()
        opened.append(PageWatch(page))
        page.goto(url)
        return page

    yield open_one
    for watch in opened:
        watch.page.context.close()
    assert [text for watch in opened for text in watch.said] == []
