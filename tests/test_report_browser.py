"""The report in a real Chromium: it opens in silence, draws, filters, and hostile text stays text.

Needs Debian's chromium (scripts/test installs it where it may) or Chrome on PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from support.folders import Folders
from test_report import SECTIONS, hostile

from sparkify_dwh.sample.generate import generate

BROWSERS = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser", "chrome")
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        why = "no Chromium on PATH: apt-get install -y --no-install-recommends chromium"
        if os.environ.get("SPARKIFY_BROWSER") == "required":
            pytest.fail(why)
        pytest.skip(why)
    with sync_playwright() as playwright:
        # As root Chromium has no sandbox of its own; the page is ours, and offline.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        started = playwright.chromium.launch(executable_path=found, args=options)
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Path:
    """The report of a warehouse with valid, broken and hostile rows, and a failed load."""
    root = tmp_path_factory.mktemp("browser")
    generate(root / "data", events=600, songs=40, days=3, seed=5, dirty=0.02)
    folders = Folders(root / "w", template, reject_floor=30)
    for path in sorted((root / "data").rglob("*.json")):
        if path.name != "expected.json":
            folders.put("songs" if "song" in str(path.parent) else "events", path.name,
                        path.read_bytes())  # fmt: skip
    folders.load()
    hostile(folders)
    folders.warehouse.report(root / "report.html")
    return root / "report.html"


class Opened:
    """The page in a browser, and all its messages."""

    def __init__(self, browser: Browser, path: Path, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda m: self.messages.append(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("dialog", lambda dialog: self.messages.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri(), wait_until="load")
        self.path = path

    def quiet(self) -> bool:
        """No error, no warning of the policy, no request but for the page, nothing run."""
        assert self.messages == []
        assert [u for u in self.requests if not u.startswith("data:")] == [self.path.as_uri()]
        return self.page.evaluate("window.pwned === undefined && document.scripts.length === 1")


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Any]:
    made: list[Opened] = []

    def open_(**options: Any) -> Opened:
        made.append(Opened(browser, report, **{"viewport": DESKTOP, **options}))
        return made[-1]

    yield open_
    for each in made:
        each.context.close()


def test_it_opens_in_silence_and_draws(opened: Any) -> None:
    here = opened()
    page = here.page
    for name in SECTIONS:
        assert page.locator(f"section#{name}").bounding_box()["height"] > 40
    for summary in page.locator("summary").all():
        if not summary.evaluate("s => s.parentElement.open"):
            summary.click()
    pictures = page.locator("svg[role=img]")
    assert pictures.count() > 12
    for picture in pictures.all():
        box = picture.bounding_box()
        if box is None:  # the other width's picture of the flow
            assert picture.get_attribute("class") == "flow"
            continue
        assert box["width"] >= 60 and box["height"] >= 20
    for kind in (".chart .s0", ".flow .a-merged", ".q8", ".erd .edge", ".lineage .line", ".spark"):
        drawn = page.locator(kind).first.evaluate(
            "e => [e.getBoundingClientRect().width, getComputedStyle(e).fill,"
            " getComputedStyle(e).stroke]"
        )
        assert drawn[0] > 1 and drawn[1:] != ["none", "none"], kind
    # The bars of a chart stand inside of it and rise with their numbers.
    heights = (
        page.locator("#analytics .chart")
        .first.locator("rect.s0")
        .evaluate_all("all => all.map(e => e.getBoundingClientRect().height)")
    )
    assert heights and max(heights) > 20
    assert here.quiet()


def test_filters(opened: Any) -> None:
    here = opened()
    page = here.page

    def visible(group: str) -> int:
        return page.locator(f"[data-item={group}]:visible").count()

    everything = visible("refused")
    rules = page.locator("[data-filters=refused] [data-field=rule] option").all_inner_texts()[1:]
    assert everything > len(rules) // 2 > 2
    field = page.get_by_label("Show rows refused by")
    field.select_option(rules[0])
    assert 0 < visible("refused") < everything
    items = page.locator("[data-item=refused]:visible")
    assert {e.get_attribute("data-rule") for e in items.all()} == {rules[0]}
    assert page.locator("[data-count=refused]").inner_text() == (
        f"{visible('refused')} of {everything} shown"
    )
    # By the keyboard alone, and back to all.
    field.focus()
    page.keyboard.press("Home")
    assert visible("refused") == everything
    runs = visible("runs")
    page.get_by_label("Show runs that are").select_option("loaded")
    assert visible("runs") == page.locator("#history .state-loaded").count() < runs
    everywhere = visible("rules")
    page.get_by_label("broken at least once").check()
    broken = visible("rules")
    assert 0 < broken < everywhere
    page.get_by_label("Show rules of").select_option("songplays")
    assert visible("rules") < broken
    page.get_by_label("broken at least once").uncheck()
    assert visible("rules") > 3
    page.get_by_label("Show the lineage of").select_option("users")
    dim = "document.querySelectorAll('.lineage .dim[data-table=%s]').length"
    assert page.evaluate(dim % "songplays") > 5 and page.evaluate(dim % "users") == 0
    assert here.quiet()


def test_it_needs_no_script(opened: Any) -> None:
    page = opened(java_script_enabled=False).page
    assert page.locator("[data-filters]:visible").count() == 0
    assert page.locator("[data-item=runs]:visible").count() == 3
    assert page.locator("#analytics .chart").first.is_visible()


@pytest.mark.parametrize("viewport", [PHONE, {"width": 320, "height": 600}, DESKTOP])
def test_it_never_scrolls_sideways(opened: Any, viewport: dict[str, int]) -> None:
    page = opened(viewport=viewport).page
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    # What is wider scrolls in a box of its own that the keyboard can reach.
    assert page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.scrollWidth > e.clientWidth + 1 &&"
        " /auto|scroll/.test(getComputedStyle(e).overflowX) && e.tabIndex !== 0).length"
    ) == 0  # fmt: skip


CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP])
def test_axe_finds_nothing(opened: Any, viewport: dict[str, int]) -> None:
    """The rules of axe-core, for the page with everything unfolded."""
    # axe comes as a script, which the page's policy would keep out.
    page = opened(viewport=viewport, bypass_csp=True).page
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    found = Axe().run(page).response
    assert len(found["passes"]) > 40
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(opened: Any, scheme: str) -> None:
    page = opened(color_scheme=scheme).page
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 128) == (scheme == "dark")
    assert page.evaluate(CONTRAST) == []


def test_the_keyboard_reaches_everything_and_is_seen(opened: Any) -> None:
    page = opened().page
    page.keyboard.press("Tab")
    skip = page.evaluate("document.activeElement.textContent")
    assert skip == "Skip to the report"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    focused: set[str] = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "(e => [e.tagName, getComputedStyle(e).outlineStyle])(document.activeElement)"
        )
        focused.add(name)
        assert outline != "none" or name == "BODY", name  # past the end it goes round
    assert {"A", "SUMMARY", "SELECT", "DIV"} <= focused


def test_on_paper(opened: Any, tmp_path: Path) -> None:
    here = opened(color_scheme="dark")
    page = here.page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"
    page.set_viewport_size({"width": 690, "height": 900})  # A4 between the margins
    assert page.evaluate("document.documentElement.scrollWidth") == 690
    for away in ("nav", ".filters", ".skip"):
        assert not page.locator(away).first.is_visible()
    clipped = page.evaluate(
        "[...document.querySelectorAll('.scroll, pre')].filter(e => e.getClientRects().length &&"
        " e.scrollHeight > e.clientHeight + 1).length"
    )
    assert clipped == 0
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF-") and 3 <= paper.count(b"/Type /Page\n") <= 40
    assert here.quiet()


def test_hostile_text_is_seen_and_does_nothing(opened: Any) -> None:
    here = opened()
    page = here.page
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for text in ("<script>window.pwned=1<", "\\u202egnp.exe\\u2066\\u200f", "\\x1b[31mred"):
        assert page.locator("#analytics").get_by_text(text).first.is_visible(), text
    assert (
        page.locator("#newest").get_by_text("<svg onload=window.pwned=1>.json").first.is_visible()
    )
    page.wait_for_timeout(100)
    assert page.locator("img, script:not(:last-of-type), iframe").count() == 0
    assert page.title().startswith("Warehouse report")
    assert here.quiet()


def test_a_script_that_came_in_would_not_run(
    browser: Browser, report: Path, tmp_path: Path
) -> None:
    """The policy protects on its own, although escaping leaves nothing for it to do."""
    pierced = report.read_text("utf-8").replace(
        "<main",
        '<script>window.pwned=1</script><img src="https://example.com/x.png" '
        'onerror="window.pwned=1"><main',
        1,
    )
    path = tmp_path / "pierced.html"
    path.write_text(pierced, encoding="utf-8")
    there = Opened(browser, path)
    assert there.page.evaluate("window.pwned === undefined")
    assert len(there.messages) >= 2 and all("Content Security Policy" in h for h in there.messages)
    there.context.close()


@pytest.mark.parametrize(
    ("commands", "installs"),
    [
        (("apt-get", "chromium"), False),
        (("apt-get", "google-chrome"), False),
        (("apt-get",), True),
        (("apt-get", "user"), False),
        ((), False),
    ],
)
def test_the_browser_is_installed_where_it_may_and_must(
    tmp_path: Path, commands: tuple[str, ...], installs: bool
) -> None:
    """By scripts/test: as root, with apt-get, where there is none."""
    commands_run = tmp_path / "commands"
    for name, body in {
        **dict.fromkeys(commands, f'echo "$0 $@" >> {commands_run}'),
        "id": f"echo {1000 if 'user' in commands else 0}",
    }.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    script = Path(__file__).parents[1] / "scripts" / "_browser"
    shell = shutil.which("sh")
    assert shell is not None
    done = subprocess.run(
        [shell, "-e", "-c", f". {script}; echo on"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stdout == "on\n", done.stderr
    assert commands_run.exists() == installs
    if installs:
        assert "install -qq -y --no-install-recommends chromium" in commands_run.read_text()
