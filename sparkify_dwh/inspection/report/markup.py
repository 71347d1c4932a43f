"""Elements of HTML and SVG; all text is escaped, and control characters are made visible."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from ...core.safe_text import escape_controls

#: Most characters of a text from outside; names may have a thousand.
TEXT_LIMIT = 400


def safe(value: Any) -> Markup:
    """A value as markup: text is cut and escaped, markup is unchanged, None is empty."""
    if isinstance(value, Markup):
        return value
    return escape("" if value is None else cut(escape_controls(str(value)), TEXT_LIMIT))


def whole(text: str) -> Markup:
    """A text as markup, whatever its length."""
    return escape(escape_controls(text))


def cut(text: str, characters: int) -> str:
    """A text of at most that many characters; an ellipsis marks a cut."""
    return text if len(text) <= characters else text[: characters - 1] + "…"


def element(name: str, *children: Any, **attributes: Any) -> Markup:
    """An element; ``class_`` becomes ``class``, ``view_box`` ``viewBox``, other names get dashes.

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
    """A coordinate without needless digits; any other value unchanged."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


def picture(
    name: str, title: str, what: str, wide: float, tall: float, *children: Any, **more: Any
) -> Markup:
    """An SVG image with a name and a description for screen readers."""
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
