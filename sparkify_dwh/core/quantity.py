"""Numbers as people read them in messages."""

from __future__ import annotations


def digits(number: int) -> str:
    """A whole number with its thousands separated: ``1,234``."""
    return f"{number:,}"


def quantity(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: ``1 row``, ``1,234 rows``.

    :param plural: the noun for any number but one; the noun with an s when left out.
    """
    return f"{digits(number)} {noun if number == 1 else plural or noun + 's'}"
