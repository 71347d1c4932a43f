"""Reading the driver's errors: their fields, and whether the connection survived."""

from __future__ import annotations

import re
import struct
import traceback
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError

DRIVER = "redshift_connector"
#: What the driver raises, besides its own errors, when a connection breaks at an odd moment.
BROKEN = (OSError, struct.error, KeyError, IndexError, ValueError, AttributeError, TypeError)
_DROPPED = re.compile(
    r"BrokenPipe|connection is closed|communication error|write to closed|server closed", re.I
)
_TOO_MANY = re.compile(r"stl_load_errors|sys_load_error_detail", re.IGNORECASE)


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it wraps or follows from, outermost first."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [getattr(each, "orig", None), *each.args, each.__cause__, each.__context__]


def fields(error: BaseException) -> dict[str, str]:
    """The fields of the server's error: C is the code, M the message; {} if it sent none."""
    for each in chain(error):
        if each.args and isinstance(each.args[0], dict):
            return {str(key): str(value) for key, value in each.args[0].items()}
    return {}


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its class if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def is_from_inside(error: BaseException) -> bool:
    """Whether an error that is not of the driver's own classes was raised inside the driver.

    A KeyError there means a broken connection; elsewhere it is a bug of ours.
    """
    return isinstance(error, BROKEN) and any(
        str(frame.f_globals.get("__name__", "")).startswith(DRIVER)
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def is_from_driver(error: BaseException) -> bool:
    """Whether the driver raised it, as an error of its own, wrapped or not, or as any other."""
    own = type(error).__module__.startswith(DRIVER)
    return own or isinstance(error, DBAPIError) or is_from_inside(error)


def is_dropped(error: BaseException) -> bool:
    """Whether the error says that the connection is gone."""
    if fields(error):
        return fields(error).get("S") == "FATAL" or fields(error).get("C", "")[:3] == "57P"
    return any(isinstance(e, OSError) or bool(_DROPPED.search(str(e))) for e in chain(error))


def is_lost(error: BaseException) -> bool:
    """Whether the connection broke, by whatever kind of error the driver reports that."""
    return is_dropped(error) or any(is_from_inside(each) for each in chain(error))


def is_over_max_error(error: BaseException) -> bool:
    """Whether a COPY failed because it refused too many records."""
    return bool(_TOO_MANY.search(str(fields(error).get("M", ""))))
