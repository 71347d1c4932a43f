"""Searches everything that is logged, printed, raised and returned for planted secrets."""

from __future__ import annotations

import io
import traceback
from dataclasses import dataclass, field

#: What is hunted for: a part of each planted secret.
MARKS = {
    name: f"PLANTED{number}x{name}"
    for number, name in enumerate(
        ("environment", "url", "webhook", "manager", "temporary", "key", "token")
    )
}


@dataclass
class Hunt:
    """All that was said: log records of all levels, stdout, stderr, errors, results."""

    log: io.StringIO = field(default_factory=io.StringIO)
    said: list[str] = field(default_factory=list)

    def add(self, *things: object) -> None:
        for thing in things:
            self.said += [str(thing), repr(thing)]

    def error(self, error: BaseException) -> None:
        """An error with its whole chain, the suppressed part included."""
        seen: list[BaseException] = []
        waiting: list[BaseException | None] = [error]
        while waiting:
            each = waiting.pop()
            if each is None or each in seen:
                continue
            seen.append(each)
            self.said += traceback.format_exception(each)
            self.add(each, *each.args, getattr(each, "__notes__", ""))
            waiting += [each.__cause__, each.__context__]

    def found(self) -> list[str]:
        """Which marks came out, with the text around them."""
        text = "\n".join([*self.said, self.log.getvalue()]).lower()
        places = ((mark, text.find(mark.lower())) for mark in MARKS.values())
        return [text[max(0, at - 300) : at + 60] for _, at in places if at >= 0]
