"""A page as its elements, read without a browser, and what must hold for every report."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "hr", "img"}
LIMIT = 2_000_000


@dataclass
class Element:
    name: str
    attributes: dict[str, str]
    inside: tuple[str, ...]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """Elements in their order, each with its own text and the names of those around it."""

    html: str
    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[Element] = []
        self.feed(self.html)
        self.close()
        assert not self._open, [each.name for each in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        assert len(attributes) == len(attrs), f"an attribute twice: {tag} {attrs}"
        element = Element(tag, attributes, tuple(each.name for each in self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1].name == tag, f"{tag} closes nothing"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for each in self._open:
            each.text += data

    def all(self, name: str) -> list[Element]:
        return [each for each in self.elements if each.name == name]

    @property
    def text(self) -> str:
        (body,) = self.all("body")
        return body.text


def sound(html: str) -> Page:
    """A page that holds what every report must hold; returns it."""
    page = Page(html)
    assert html.startswith("<!doctype html>")
    assert len(html.encode("utf-8")) < LIMIT
    names = {each.name for each in page.elements}
    assert not names & {"img", "iframe", "object", "embed", "base", "form", "image", "use"}
    assert len(page.all("script")) == 1 and len(page.all("style")) == 1
    ids = [each.attributes["id"] for each in page.elements if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    for each in page.elements:
        for name, value in each.attributes.items():
            assert not name.startswith("on") and name != "style", (each.name, name)
            if name in ("src", "href", "xlink:href", "action", "data", "srcdoc"):
                assert value.startswith("#") or value == "data:,", value
                assert not value.startswith("#") or value[1:] in ids
            if name in ("aria-labelledby", "aria-describedby"):
                assert set(value.split()) <= set(ids), value
            assert "url(" not in value or value.startswith("url(#")
    policed(page)
    readable(page)
    return page


def policed(page: Page) -> None:
    """The policy allows the page's own style and script and nothing else."""
    (policy,) = (
        each.attributes["content"]
        for each in page.all("meta")
        if each.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for name in ("script", "style"):
        (each,) = page.all(name)
        digest = base64.b64encode(hashlib.sha256(each.text.encode("utf-8")).digest()).decode()
        assert rules[f"{name}-src"] == f"'sha256-{digest}'"
        assert not re.search(r"https?:|@import|url\(|fetch\(|eval\(|innerHTML", each.text)


def readable(page: Page) -> None:
    """Headings in order, named regions and pictures, tables with heads, labelled fields."""
    (html,) = page.all("html")
    assert html.attributes["lang"] == "en"
    assert len(page.all("h1")) == 1 and len(page.all("main")) == 1
    level = 0
    for each in page.elements:
        if re.fullmatch("h[1-6]", each.name):
            assert int(each.name[1]) <= level + 1, each.text
            level = int(each.name[1])
            assert each.text.strip()
        if each.name == "svg":
            named = each.attributes.get("aria-labelledby") or each.attributes.get("role") == "img"
            assert named or each.attributes.get("aria-hidden") == "true"
        if each.name in ("select", "input"):
            assert "label" in each.inside
        if each.name == "th":
            assert each.attributes["scope"] in ("col", "row")
        if each.attributes.get("tabindex") == "0":
            assert each.attributes.get("aria-label")
        if each.name in ("summary", "a", "label", "option"):
            assert each.text.strip()
    assert len(page.all("caption")) == len(page.all("table"))
