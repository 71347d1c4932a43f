"""Records a client's statements for a test, and makes them fail."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from .errors import RedshiftError

When = Literal["before", "after"]


class DropConnection(Exception):
    """Closes the connection to the client, and with it the session."""


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
    """Pending faults for all sessions of one database.

    A pattern is a regular expression, searched in the statement's text regardless of case. `times`
    is how often the fault occurs; a negative number means always.
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
        """Close the connection before a matching statement runs, or after it and before the answer.

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
        """Call a function before or after a matching statement; it may raise a RedshiftError."""
        with self._lock:
            self._hooks.append(_Hook(re.compile(pattern, re.IGNORECASE), when, action, times))

    def clear(self) -> None:
        """Remove all pending faults."""
        with self._lock:
            self._hooks.clear()
            self._messages_left = 0
            self._seen = None

    def on_message(self, kind: bytes) -> None:
        """Called when a protocol message has arrived."""
        with self._lock:
            if self._seen is not None:
                self._seen.append(kind)
            if self._messages_left:
                self._messages_left -= 1
                if not self._messages_left:
                    raise DropConnection

    def on_statement(self, statement: Statement, when: When) -> None:
        """Called when a statement is about to run, or has run."""
        with self._lock:
            due = [h for h in self._hooks if h.when == when and h.pattern.search(statement.sql)]
            for hook in due:
                hook.times -= 1
                if hook.times == 0:
                    self._hooks.remove(hook)
        for hook in due:
            hook.action(statement)
