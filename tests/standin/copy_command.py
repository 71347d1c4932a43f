"""Parses COPY … FROM 's3://…' of JSON, option by option against an allow-list.

https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .cursor import Cursor
from .errors import GUIDE, RedshiftError, unknown
from .tokens import Token, split

_ROLE = re.compile(r"arn:aws(?:-cn|-us-gov)?:iam::\d{12}:role/[\w+=,.@/-]+")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
_LOCATION = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.*)", re.DOTALL)

TIME_FORMATS = frozenset({"auto", "epochsecs", "epochmillisecs"})


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket and a key, or a bucket and the prefix of keys."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, url: str) -> Location:
        """Parse `s3://bucket/key`."""
        match = _LOCATION.fullmatch(url)
        if not match:
            raise RedshiftError(f"Invalid S3 URL: {url}", "XX000")
        return cls(match[1], match[2])

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(slots=True)
class CopyCommand:
    """A COPY command, ready to run."""

    table: str
    columns: tuple[str, ...] | None
    source: Location
    role: str = ""
    json: str = "auto"
    manifest: bool = False
    gzip: bool = False
    maxerror: int = 0
    noload: bool = False
    truncate: bool = False
    blanks_as_null: bool = False
    empty_as_null: bool = False
    replacement: str | None = None
    timeformat: str = ""
    region: str | None = None

    @property
    def error_limit(self) -> int:
        """The number of errors at which the load fails; 0 means the same as 1."""
        return max(1, self.maxerror)


def parse_copy(tokens: Sequence[Token]) -> CopyCommand:
    """Parse the whole command; refuses any option that is not on the list."""
    cursor = Cursor(tokens)
    cursor.next()
    names = [token.name for token in cursor.name()[::2]]
    table = ".".join('"' + name.replace('"', '""') + '"' for name in names)
    columns = None
    if cursor.here.is_("("):
        columns = tuple(part[0].name for part in split(cursor.group(), ","))
    if not cursor.take("from"):
        raise cursor.error()
    source = cursor.string()
    if not source.startswith("s3://"):
        raise unknown("COPY from anything but S3")
    command = CopyCommand(table, columns, Location.parse(source))
    seen: set[str] = set()
    while cursor.rest:
        _option(cursor, command, seen)
    if not command.role:
        raise RedshiftError(
            "COPY needs an IAM_ROLE", "42601", f"see {_page('copy-parameters-authorization')}"
        )
    if "json" not in seen:
        raise unknown("COPY of a format other than JSON")
    return command


def _option(cursor: Cursor, command: CopyCommand, seen: set[str]) -> None:
    if cursor.take("format"):
        cursor.take("as")
    word = cursor.here.low
    if word not in _OPTIONS:
        raise unknown(f"the COPY option {cursor.here.text.upper()}")
    if word in seen:
        raise RedshiftError(f"conflicting or redundant options: {word}", "42601")
    seen.add(word)
    cursor.next()
    _OPTIONS[word][1](cursor, command)


def _string(cursor: Cursor) -> str:
    cursor.take("as")
    return cursor.string()


def _switch(cursor: Cursor) -> None:
    if not cursor.take("on"):
        cursor.take("off")


def _page(name: str) -> str:
    return GUIDE.format(name)


def _role(cursor: Cursor, command: CopyCommand) -> None:
    if cursor.take("default"):
        command.role = "default"
        return
    command.role = _string(cursor)
    if not _valid_roles(command.role):
        raise RedshiftError(
            f"Invalid IAM role ARN: {command.role}",
            "XX000",
            f"IAM_ROLE is default or 'arn:aws:iam::<account>:role/<name>'; "
            f"see {_page('copy-parameters-authorization')}",
        )


def _valid_roles(text: str) -> bool:
    # a comma separates chained roles, but may also be part of a role's name
    return bool(_ROLE.fullmatch(text)) or all(_ROLE.fullmatch(r) for r in text.split(","))


def _json(cursor: Cursor, command: CopyCommand) -> None:
    if cursor.here.is_("as") or cursor.here.kind == "string":
        command.json = _string(cursor)
    if command.json == "noshred":
        raise unknown("COPY … JSON 'noshred'")
    if command.json not in ("auto", "auto ignorecase"):
        Location.parse(command.json)


def _maxerror(cursor: Cursor, command: CopyCommand) -> None:
    cursor.take("as")
    command.maxerror = cursor.number()
    if command.maxerror > 100_000:
        raise RedshiftError(
            "MAXERROR must be between 0 and 100000",
            "22023",
            f"see {_page('copy-parameters-data-load')}",
        )


def _timeformat(cursor: Cursor, command: CopyCommand) -> None:
    command.timeformat = _string(cursor)
    if command.timeformat not in TIME_FORMATS:
        raise unknown(f"TIMEFORMAT '{command.timeformat}' (its keywords are case-sensitive)")


def _region(cursor: Cursor, command: CopyCommand) -> None:
    command.region = _string(cursor)
    if not _REGION.fullmatch(command.region):
        raise RedshiftError(f'The specified AWS region "{command.region}" is not valid', "22023")


def _replacement(cursor: Cursor, command: CopyCommand) -> None:
    given = cursor.here.is_("as") or cursor.here.kind == "string"
    command.replacement = _string(cursor) if given else "?"
    if len(command.replacement) != 1 or not command.replacement.isascii():
        raise RedshiftError("ACCEPTINVCHARS needs one ASCII character", "22023")


def _compupdate(cursor: Cursor, _: CopyCommand) -> None:
    if not cursor.take("preset"):
        _switch(cursor)


def _statupdate(cursor: Cursor, _: CopyCommand) -> None:
    _switch(cursor)


def _flag(name: str) -> Callable[[Cursor, CopyCommand], None]:
    def setter(_: Cursor, command: CopyCommand) -> None:
        setattr(command, name, True)

    return setter


_FORMAT, _SOURCE = "copy-parameters-data-format", "copy-parameters-data-source-s3"
_CONVERSION, _LOAD = "copy-parameters-data-conversion", "copy-parameters-data-load"

# The option, its page, and its parser
_OPTIONS: dict[str, tuple[str, Callable[[Cursor, CopyCommand], None]]] = {
    "iam_role": ("copy-parameters-authorization", _role),
    "json": (_FORMAT, _json),
    "manifest": (_SOURCE, _flag("manifest")),
    "region": (_SOURCE, _region),
    "gzip": ("copy-parameters-file-compression", _flag("gzip")),
    "maxerror": (_LOAD, _maxerror),
    "noload": (_LOAD, _flag("noload")),
    "compupdate": (_LOAD, _compupdate),
    "statupdate": (_LOAD, _statupdate),
    "timeformat": (_CONVERSION, _timeformat),
    "truncatecolumns": (_CONVERSION, _flag("truncate")),
    "blanksasnull": (_CONVERSION, _flag("blanks_as_null")),
    "emptyasnull": (_CONVERSION, _flag("empty_as_null")),
    "acceptinvchars": (_CONVERSION, _replacement),
}
