"""Checks the built site in Chromium: every page in light and dark mode and on a phone; and the search.

A page must load without messages on the console, without requests to other hosts and with all its images, must not
scroll sideways, and its links to other pages and sections must exist. With a folder for screenshots, the first screen
of each page is saved.

Usage: python tools/check_site.py SITE [SCREENSHOTS]
"""

from __future__ import annotations

import functools
import http.server
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urldefrag, urljoin

from playwright.sync_api import Browser, Page, sync_playwright

VIEWS = (("light", "light", (1280, 900)), ("dark", "dark", (1280, 900)), ("phone", "light", (390, 844)))
"""Name, colour scheme, and width and height in CSS pixels."""

QUERY, EXPECTED_PAGE = "homography", "estimators"
"""Words to search, and a part of the address of a page that must be among the results."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line per request."""

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serves a folder on this machine; yields its address."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def check_page(page: Page, address: str, site: str) -> tuple[list[str], set[str], set[str]]:
    """Problems of a page, the addresses of its links within the site, and its own addresses with sections."""
    problems: list[str] = []
    page.on("console", lambda message: problems.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.on(
        "request", lambda request: problems.append(f"requests {request.url}") if is_foreign(request.url, site) else None
    )
    page.goto(address, wait_until="load")
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if width > 0:
        problems.append(f"scrolls sideways by {width} px")
    page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")
    broken = "[...document.images].filter(image => image.complete && !image.naturalWidth).map(image => image.src)"
    problems += [f"image {source} is missing" for source in page.evaluate(broken)]
    links = page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)")
    sections = page.eval_on_selector_all("[id]", "elements => elements.map(element => element.id)")
    within = {link for link in links if link.startswith(site)}
    return problems, within, {address, *(f"{address}#{section}" for section in sections)}


def is_foreign(url: str, site: str) -> bool:
    """Whether a request leaves the site."""
    return not url.startswith((site, "data:", "blob:"))


def check_search(browser: Browser, site: str) -> list[str]:
    """Problems of the search."""
    page = browser.new_page()
    page.goto(site, wait_until="networkidle")
    page.keyboard.press("/")
    page.keyboard.type(QUERY)
    page.wait_for_selector(".md-search-result__item a", timeout=10_000)
    results = page.eval_on_selector_all(".md-search-result__item a", "links => links.map(link => link.href)")
    page.close()
    return [] if any(EXPECTED_PAGE in link for link in results) else [f"search for {QUERY!r} found only {results}"]


def check_site(folder: Path, executable: str, screenshots: Path | None) -> list[str]:
    """Problems of all pages of a site, in the browser with this path."""
    problems: list[str] = []
    pages = [path.relative_to(folder).parent.as_posix() for path in sorted(folder.rglob("index.html"))]
    links: dict[str, set[str]] = {}
    targets: set[str] = set()
    with serve(folder) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for name, scheme, (width, height) in VIEWS:
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            for path in pages:
                address = site if path == "." else urljoin(site, f"{path}/")
                page = context.new_page()
                found, links[address], own = check_page(page, address, site)
                targets |= own
                problems += [f"{path} ({name}): {problem}" for problem in found]
                if screenshots:
                    screenshots.mkdir(parents=True, exist_ok=True)
                    page.screenshot(path=screenshots / f"{path.replace('/', '-')}-{name}.png")
                page.close()
            context.close()
        for address, addresses in links.items():
            missing = sorted(link for link in addresses if not is_target(link, site, folder, targets))
            problems += [f"{address.removeprefix(site)}: link to {link.removeprefix(site)}" for link in missing]
        problems += check_search(browser, site)
        browser.close()
    print(f"{len(pages)} pages, {len(targets)} sections: {len(problems)} problems")
    return problems


def is_target(link: str, site: str, folder: Path, targets: set[str]) -> bool:
    """Whether a link leads to a page and section of the site, or to another file of it."""
    address, section = urldefrag(link)
    if link in targets or (address in targets and section in ("", "__skip")):
        return True
    return not section and (folder / address.removeprefix(site)).is_file()


if __name__ == "__main__":
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser_path is None:
        print(f"the pages are not checked: none of {', '.join(BROWSERS)} is installed")
        sys.exit()
    found_problems = check_site(Path(sys.argv[1]), browser_path, Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    sys.exit("\n".join(found_problems) if found_problems else 0)
