"""Elements of HTML and SVG: whatever they are given is made inert and escaped."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from ...core.safe_text import escape_controls

#: Characters of a text from outside that are shown; names may have a thousand.
SHOWN = 400


def safe(value: Any) -> Markup:
    """A value as markup: text is made inert, cut and escaped, markup stays; None is nothing."""
    if isinstance(value, Markup):
        return value
    return escape("" if value is None else cut(escape_controls(str(value)), SHOWN))


def whole(text: str) -> Markup:
    """A text as markup, however long."""
    return escape(escape_controls(text))


def cut(text: str, characters: int) -> str:
    """A text of at most so many characters, marked where it was cut."""
    return text if len(text) <= characters else text[: characters - 1] + "…"


def element(name: str, *children: Any, **attributes: Any) -> Markup:
    """An element; ``class_`` is written ``class``, ``view_box`` ``viewBox``, others with dashes.

    An attribute that is None is left out.
    """
    names = {"view_box": "viewBox", "preserve": "preserveAspectRatio", "marker": "marker-end"}
    given = Markup("").join(
        Markup(' {}="{}"').format(
            names.get(key, key.rstrip("_").replace("_", "-")), safe(number(value))
        )
        for key, value in attributes.items()
        if value is not None
    )
    body = Markup("").join(safe(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), given, body)


def number(value: Any) -> Any:
    """A coordinate without needless digits; anything else as it is."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


def picture(
    name: str, title: str, what: str, wide: float, tall: float, *children: Any, **more: Any
) -> Markup:
    """An SVG image with its name and description for those who do not see it."""
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", whole(what), id=f"{name}-desc"),
        *children,
        view_box=f"0 0 {number(wide)} {number(tall)}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        **more,
    )
