"""Reads a statement token by token."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import RedshiftError
from .tokens import Token, closing, folded


class Cursor:
    """A position in a list of tokens."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = list(tokens)
        self.index = 0

    @property
    def here(self) -> Token:
        """The next token; an empty one at the end."""
        done = self.index >= len(self.tokens)
        return Token("end", "") if done else self.tokens[self.index]

    @property
    def rest(self) -> list[Token]:
        """All tokens still to come."""
        return self.tokens[self.index :]

    def take(self, *texts: str) -> bool:
        """Consume these words if all of them come next, and return whether they did."""
        if len(self.rest) < len(texts):
            return False
        if all(t.is_(text) for t, text in zip(self.rest, texts, strict=False)):
            self.index += len(texts)
            return True
        return False

    def next(self) -> Token:
        """Consume one token."""
        token = self.here
        if token.kind == "end":
            raise RedshiftError("syntax error at end of input", "42601")
        self.index += 1
        return token

    def group(self) -> list[Token]:
        """Consume a pair of parentheses and return what is inside."""
        if not self.here.is_("("):
            raise self.error()
        end = closing(self.tokens, self.index)
        inner = self.tokens[self.index + 1 : end]
        self.index = end + 1
        return inner

    def name(self) -> list[Token]:
        """Consume a name, with its schema if given, folded as Redshift folds it."""
        out = [self.next()]
        while self.here.is_("."):
            out += [self.next(), self.next()]
        if not all(token.name for token in out[::2]):
            raise self.error()
        return [folded(token) for token in out]

    def error(self) -> RedshiftError:
        """The error for a token that does not belong here."""
        text = self.here.text or "end of input"
        return RedshiftError(f'syntax error at or near "{text}"', "42601")

    def finish(self) -> None:
        """Raise an error if anything is left."""
        if self.rest:
            raise self.error()

    def string(self) -> str:
        """Consume a string literal and return its value."""
        if self.here.kind != "string":
            raise self.error()
        return self.next().value

    def number(self) -> int:
        """Consume a whole number."""
        if not self.here.text.isdigit():
            raise self.error()
        return int(self.next().text)
