"""The flow of the rows of a load from files to tables, drawn from its books."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from markupsafe import Markup

from ...core.quantity import quantity
from ...models.declare import Declarations
from ...steps.books import Account, SourceBook
from .charts import full
from .facts import LoadFacts
from .markup import cut, element, picture

#: Accounts of the staged rows of a table, with their CSS classes.
ACCOUNTS = {
    "merged": "merged",
    "duplicate": "duplicate",
    "out_of_scope": "scope",
    "stale": "stale",
    "refused": "refused",
    "erased": "erased",
}
_BOX = 168.0


@dataclass(frozen=True)
class Stream:
    """A source of a load: what became of its records, and the books of the tables it feeds."""

    source: str
    objects: int
    size: int
    book: Mapping[str, int]
    targets: Sequence[tuple[str, Mapping[str, int]]]

    @property
    def balanced(self) -> bool:
        """Whether the books balance, by the equations that every load checks."""
        return SourceBook(self.source, **_known(SourceBook, self.book)).balanced and all(
            Account(target, **_known(Account, book)).balanced for target, book in self.targets
        )

    @property
    def accounts(self) -> list[str]:
        """The accounts in which a table has rows."""
        return [a for a in ACCOUNTS if any(book.get(a) for _, book in self.targets)]

    @property
    def refused(self) -> int:
        """Records refused by the parser or by a rule."""
        return self.book.get("refused_by_parser", 0) + self.book.get("refused_by_rule", 0)


def _known(cls: type[Any], book: Mapping[str, int]) -> dict[str, int]:
    """The accounts of a book that this version of the library knows."""
    names = {each.name for each in fields(cls)}
    return {name: rows for name, rows in book.items() if name in names}


def streams(load: LoadFacts, declarations: Declarations) -> list[Stream]:
    """The sources that a load read, in declared order, each with its tables."""
    files = {each.source: each for each in load.files}
    found = []
    for source in declarations.sources:
        book = load.books.get(f"source:{source.name}")
        if not book or not book.get("objects"):
            continue
        read = files.get(source.name)
        targets = [
            (target.table.fullname, load.books[target.name])
            for target in declarations.targets
            if target.source == source.name and target.name in load.books
        ]
        objects = read.objects if read else book.get("objects", 0)
        found.append(Stream(source.name, objects, read.size if read else 0, book, targets))
    return found


def octets(size: int) -> str:
    """A size in the unit that suits it."""
    amount, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.3g} {unit}"


def flow(name: str, found: Sequence[Stream], *, wide: bool) -> Markup:
    """The picture, from left to right where ``wide``, else from top to bottom."""
    most = max([*(s.book.get("staged", 0) for s in found), 1])
    parts: list[Markup] = []
    y = 4.0
    for each in found:
        parts += _across(each, y, most) if wide else _down(each, y, most)
        y += _height(each, wide)
    description = "; ".join(
        f"{s.source}: {quantity(s.book.get('read', 0), 'row')} read, {full(s.refused)} refused, to "
        + (", ".join(f"{t} {full(b.get('merged', 0))} merged" for t, b in s.targets) or "no table")
        for s in found
    )
    width = 940.0 if wide else 360.0
    return picture(name, "From files to tables", description, width, y, *parts, class_="flow")


def _height(each: Stream, wide: bool) -> float:
    rows = len(each.targets)
    return max(rows * 62.0, 80.0) + 26 if wide else 104 + rows * 62.0 + 14


def _box(x: float, y: float, title: str, lines: Sequence[str], kind: str) -> list[Markup]:
    return [
        element("rect", x=x, y=y, width=_BOX, height=74, rx="8", class_=f"node {kind}"),
        element("text", cut(title, 22), x=x + 12, y=y + 22, class_="name"),
        *(
            element("text", text, x=x + 12, y=y + 42 + 18 * i, class_="note")
            for i, text in enumerate(lines)
        ),
    ]


def _boxes(each: Stream, at: tuple[float, float], to: tuple[float, float]) -> list[Markup]:
    book = each.book
    files = f"{quantity(each.objects, 'file')}, {octets(each.size)}"
    read, staged = (
        f"{quantity(book.get('read', 0), 'row')} read",
        f"{full(book.get('staged', 0))} staged",
    )
    refused = f"{full(each.refused)} refused" if each.refused else "none refused"
    kind = "bad" if each.refused else ""
    return _box(*at, f"{each.source} files", [files, read], "") + _box(
        *to, f"staging {each.source}", [staged, refused], kind
    )


def _ribbon(path: str, rows: int, most: int) -> Markup:
    return element("path", d=path, class_="ribbon", stroke_width=2 + 20 * rows / most)


def _across(each: Stream, y: float, most: int) -> list[Markup]:
    rows = len(each.targets)
    middle = y + max(rows * 62.0, 80.0) / 2
    staged = each.book.get("staged", 0)
    x1, x2, x3 = 4.0, 248.0, 520.0
    ribbons = [_ribbon(f"M{x1 + _BOX} {middle:.0f} H{x2}", each.book.get("read", 0), most)]
    parts = []
    first = middle - rows * 31.0
    for i, (target, book) in enumerate(each.targets):
        top = first + i * 62.0
        at = top + 27
        bend = (x2 + _BOX + x3) / 2
        ribbons.append(
            _ribbon(
                f"M{x2 + _BOX} {middle:.0f} C{bend} {middle:.0f} {bend} {at:.0f} {x3 - 6} {at:.0f}",
                staged, most,
            )
        )  # fmt: skip
        parts += _target(target, book, x3, top, 416.0)
    return ribbons + _boxes(each, (x1, middle - 37), (x2, middle - 37)) + parts


def _down(each: Stream, y: float, most: int) -> list[Markup]:
    x1, x2, middle = 2.0, 190.0, y + 41
    ribbons = [_ribbon(f"M{x1 + _BOX} {middle} H{x2}", each.book.get("read", 0), most)]
    top = y + 104
    if each.targets:
        foot = top + (len(each.targets) - 1) * 62.0 + 27
        ribbons.append(
            _ribbon(
                f"M{x2 + 20} {middle + 30} V{top - 14} H14 V{foot}",
                each.book.get("staged", 0), most * 4,
            )
        )  # fmt: skip
    parts = []
    for i, (target, book) in enumerate(each.targets):
        parts += _target(target, book, 34.0, top + i * 62.0, 322.0)
        ribbons.append(element("path", d=f"M14 {top + i * 62 + 27} h14", class_="ribbon thin"))
    return ribbons + _boxes(each, (x1, y + 4), (x2, y + 4)) + parts


def _target(name: str, book: Mapping[str, int], x: float, y: float, wide: float) -> list[Markup]:
    """A table, with what became of the rows staged for it."""
    staged = sum(book.get(account, 0) for account in ACCOUNTS)
    given = [(account, book.get(account, 0)) for account in ACCOUNTS if book.get(account, 0)]
    parts = [element("text", cut(name, 34), x=x, y=y + 14, class_="name")]
    at = x
    for account, count in given:
        length = wide * count / (staged or 1)
        parts.append(
            element(
                "rect", element("title", f"{account.replace('_', ' ')}: {full(count)}"),
                x=at, y=y + 21, width=max(length, 1.0), height=12, class_=f"a-{ACCOUNTS[account]}",
            )
        )  # fmt: skip
        at += length
    if not given:
        parts.append(element("rect", x=x, y=y + 21, width=wide, height=12, class_="track"))
    counts = " · ".join(f"{full(count)} {account.replace('_', ' ')}" for account, count in given)
    parts.append(element("text", counts or "nothing staged", x=x, y=y + 50, class_="note"))
    return parts
