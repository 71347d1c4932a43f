"""What a test may see of a client's statements, and how it makes them fail."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from .errors import RedshiftError

When = Literal["before", "after"]


class DropConnection(Exception):
    """Close the connection to the client now, and the session with it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement that a client executed: its text as sent, and its bound values."""

    sql: str
    parameters: tuple[object, ...]
    user: str
    session: int

    def __str__(self) -> str:
        return self.sql


@dataclass(slots=True)
class _Hook:
    pattern: re.Pattern[str]
    when: When
    action: Callable[[Statement], object]
    times: int


@dataclass(slots=True)
class Faults:
    """Faults to come, for all sessions of one database.

    A pattern is a regular expression that is searched, case left aside, in the statement's text.
    `times` is how often the fault strikes; a negative number is always.
    """

    _hooks: list[_Hook] = field(default_factory=list)
    _messages_left: int = 0
    _seen: list[bytes] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(
        self, pattern: str, message: str, code: str = "XX000", detail: str = "", times: int = 1
    ) -> None:
        """Answer a matching statement with an error instead of running it."""

        def action(_: Statement) -> None:
            raise RedshiftError(message, code, detail)

        self.call(pattern, action, times=times)

    def drop(self, pattern: str, when: When = "before", times: int = 1) -> None:
        """Close the connection before a matching statement runs, or once it has run unanswered.

        `drop("^commit")` loses the transaction; `drop("^commit", "after")` keeps it and loses
        the answer.
        """

        def action(_: Statement) -> None:
            raise DropConnection

        self.call(pattern, action, when, times)

    def drop_at_message(self, number: int) -> None:
        """Close the connection when the n-th protocol message from now arrives."""
        with self._lock:
            self._messages_left = number

    def watch_messages(self) -> list[bytes]:
        """The kinds of the protocol messages that arrive from now on, until `clear`."""
        with self._lock:
            self._seen = []
            return self._seen

    def call(
        self,
        pattern: str,
        action: Callable[[Statement], object],
        when: When = "before",
        times: int = 1,
    ) -> None:
        """Call a function before or after a matching statement; its RedshiftError is the answer."""
        with self._lock:
            self._hooks.append(_Hook(re.compile(pattern, re.IGNORECASE), when, action, times))

    def clear(self) -> None:
        """Forget every fault that has not struck."""
        with self._lock:
            self._hooks.clear()
            self._messages_left = 0
            self._seen = None

    def on_message(self, kind: bytes) -> None:
        """A protocol message has arrived."""
        with self._lock:
            if self._seen is not None:
                self._seen.append(kind)
            if self._messages_left:
                self._messages_left -= 1
                if not self._messages_left:
                    raise DropConnection

    def on_statement(self, statement: Statement, when: When) -> None:
        """A statement is about to run, or has run."""
        with self._lock:
            due = [h for h in self._hooks if h.when == when and h.pattern.search(statement.sql)]
            for hook in due:
                hook.times -= 1
                if hook.times == 0:
                    self._hooks.remove(hook)
        for hook in due:
            hook.action(statement)
