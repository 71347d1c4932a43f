"""A tokenizer for SQL as Redshift reads it.

Every rewrite and every refusal works on these tokens, so text inside literals
and comments is never touched. Joining the tokens yields the original statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .errors import RedshiftError

_SPACE = re.compile(r"(?:\s+|--[^\n]*)+")
_WORD = re.compile(r"[A-Za-z_\u0080-\U0010ffff][\w$]*")
_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_PARAMETER = re.compile(r"\$\d+")
_DOLLAR = re.compile(r"\$(?:[A-Za-z_]\w*)?\$")
_OPERATOR_CHARACTERS = "+-*/<>=~!@#%^&|`?"
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind, its text, and the whitespace and comments before it.

    Kinds: word, quoted, string, number, parameter, operator, punct, dollar.
    """

    kind: str
    text: str
    before: str = ""

    @property
    def low(self) -> str:
        """The word in lower case; empty unless it is an unquoted word."""
        return self.text.lower() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """The identifier, quoted or not, as Redshift folds it; otherwise empty.

        https://docs.aws.amazon.com/redshift/latest/dg/r_names.html
        """
        if self.kind == "word":
            return self.text.lower()
        if self.kind == "quoted":
            return self.text[1:-1].replace('""', '"').lower()
        return ""

    @property
    def value(self) -> str:
        """The value of a string literal."""
        if self.kind != "string":
            raise ValueError(f"not a string literal: {self.text}")
        return re.sub(
            r"''|\\(.)",
            lambda m: "'" if m[1] is None else _ESCAPES.get(m[1], m[1]),
            self.text[1:-1],
            flags=re.DOTALL,
        )

    def is_(self, *texts: str) -> bool:
        """Whether this is one of these words, operators or punctuation marks."""
        if self.kind == "word":
            return self.text.lower() in texts
        return self.kind in ("operator", "punct") and self.text in texts


def tokenize(sql: str) -> list[Token]:
    """Split a statement into tokens; whitespace and comments belong to the token after them."""
    tokens: list[Token] = []
    position, before, end = 0, "", len(sql)
    while position < end:
        blank = _blank(sql, position)
        if blank > position:
            before += sql[position:blank]
            position = blank
            continue
        kind, stop = _next(sql, position)
        tokens.append(Token(kind, sql[position:stop], before))
        position, before = stop, ""
    return tokens


def at(tokens: Sequence[Token], index: int) -> Token:
    """The token at an index; an empty one if there is none."""
    return tokens[index] if 0 <= index < len(tokens) else Token("end", "")


def render(tokens: Iterable[Token]) -> str:
    """The text of the tokens."""
    return "".join(token.before + token.text for token in tokens)


def folded(token: Token) -> Token:
    """The token with a quoted name in lower case, as Redshift reads it: r_names."""
    if token.kind != "quoted":
        return token
    escaped = token.name.replace('"', '""')
    return replace(token, text=f'"{escaped}"')


def words(text: str) -> list[Token]:
    """The tokens of SQL to insert into a statement, with a space before them."""
    tokens = tokenize(text)
    return [replace(tokens[0], before=" "), *tokens[1:]] if tokens else []


def closing(tokens: Sequence[Token], start: int) -> int:
    """The index of the bracket that closes the one at `start`."""
    depth = 0
    for index in range(start, len(tokens)):
        if tokens[index].is_("(", "["):
            depth += 1
        elif tokens[index].is_(")", "]"):
            depth -= 1
            if depth == 0:
                return index
    raise RedshiftError("syntax error at end of input", "42601")


def split(tokens: Sequence[Token], sign: str) -> list[list[Token]]:
    """Split at a punctuation mark or word outside all brackets."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.is_("(", "["):
            depth += 1
        elif token.is_(")", "]"):
            depth -= 1
        if depth == 0 and token.is_(sign):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def statements(sql: str) -> list[list[Token]]:
    """The statements of a text, without semicolons and empty statements."""
    return [part for part in split(tokenize(sql), ";") if part]


def _blank(sql: str, position: int) -> int:
    match = _SPACE.match(sql, position)
    if match:
        return match.end()
    if not sql.startswith("/*", position):
        return position
    depth = 0
    for mark in re.finditer(r"/\*|\*/", sql[position:]):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return position + mark.end()
    raise RedshiftError("unterminated /* comment", "42601")


def _next(sql: str, position: int) -> tuple[str, int]:
    character = sql[position]
    if character == "'":
        return "string", _string_end(sql, position)
    if character == '"':
        return "quoted", _quoted_end(sql, position)
    for kind, pattern in (("parameter", _PARAMETER), ("number", _NUMBER)):
        match = pattern.match(sql, position)
        if match:
            return kind, match.end()
    match = _WORD.match(sql, position)
    if match:
        if sql.startswith(("'", "&'"), match.end()) and len(match[0]) == 1:
            raise RedshiftError(f"stand-in: {match[0]}'…' literals are not supported", "0A000")
        return "word", match.end()
    match = _DOLLAR.match(sql, position)
    if match:
        stop = sql.find(match[0], match.end())
        if stop < 0:
            raise RedshiftError("unterminated dollar-quoted string", "42601")
        return "dollar", stop + len(match[0])
    if character in _OPERATOR_CHARACTERS:
        return "operator", _operator_end(sql, position)
    if sql.startswith("::", position):
        return "operator", position + 2
    if character in "()[],;.:":
        return "punct", position + 1
    raise RedshiftError(f'syntax error at or near "{character}"', "42601")


def _string_end(sql: str, position: int) -> int:
    # In Redshift a backslash in an ordinary literal is an escape: the guide doubles it,
    # https://docs.aws.amazon.com/redshift/latest/dg/pattern-matching-conditions-posix.html
    match = re.compile(r"'(?:[^'\\]|''|\\.)*'", re.DOTALL).match(sql, position)
    if not match:
        raise RedshiftError("unterminated quoted string", "42601")
    return match.end()


def _quoted_end(sql: str, position: int) -> int:
    match = re.compile(r'"(?:[^"]|"")+"').match(sql, position)
    if not match:
        raise RedshiftError("unterminated or empty quoted identifier", "42601")
    return match.end()


def _operator_end(sql: str, position: int) -> int:
    stop = position
    while stop < len(sql) and sql[stop] in _OPERATOR_CHARACTERS:
        if stop > position and sql.startswith(("--", "/*"), stop):
            break
        stop += 1
    text = sql[position:stop]
    # "=-1" is "=" and "-1": PostgreSQL's own rule for operators that end in a sign
    while len(text) > 1 and text[-1] in "+-" and not set(text) & set("~!@#%^&|`?"):
        text = text[:-1]
    return position + len(text)
