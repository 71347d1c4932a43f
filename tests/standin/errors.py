"""Errors in Redshift's words, raised by the stand-in or translated from Postgres."""

from __future__ import annotations

import re
from collections.abc import Mapping

GUIDE = "https://docs.aws.amazon.com/redshift/latest/dg/{}.html"

# Redshift names the table and the transactions of a cycle; Postgres' message does not have them
# https://github.com/aws/aws-sdk-pandas/issues/665
_CYCLE = (
    "Serializable isolation violation on table - 100000, "
    "transactions forming the cycle are: 1, 2 (pid:{pid})"
)


class RedshiftError(Exception):
    """An error that the client receives; inside a transaction block it aborts the block."""

    def __init__(self, message: str, code: str = "XX000", detail: str = "") -> None:
        super().__init__(message)
        self.fields = {"S": "ERROR", "C": code, "M": message}
        if detail:
            self.fields["D"] = detail


class FatalError(RedshiftError):
    """An error that ends the connection, such as a wrong password."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message, code)
        self.fields["S"] = "FATAL"


class BackendError(RedshiftError):
    """An error that Postgres raised, in Redshift's words."""

    def __init__(self, fields: Mapping[str, str], pid: int = 0) -> None:
        translated = _translate(dict(fields), pid)
        super().__init__(translated["M"], translated["C"])
        self.fields = translated


def refused(what: str, page: str) -> RedshiftError:
    """The error for something that Redshift is documented not to have."""
    return RedshiftError(
        f"{what} is not supported by Amazon Redshift", "0A000", f"see {GUIDE.format(page)}"
    )


def unknown(what: str) -> RedshiftError:
    """The error for something that Redshift may have and the stand-in does not know."""
    return RedshiftError(
        f"stand-in: {what} is not on its allow-list",
        "0A000",
        "tests/standin/README.md lists what the stand-in knows",
    )


def compute_error(message: str, code: int, context: str, query: int) -> RedshiftError:
    """An error of a compute node, with a block of lines as its detail.

    Example: https://github.com/embulk/embulk-output-jdbc/issues/85
    """
    rule = "-" * 47
    return RedshiftError(
        message,
        "XX000",
        f"\n  {rule}\n  error:  {message}\n  code:      {code}\n  context:   {context}"
        f"\n  query:     {query}\n  location:  stand-in\n  process:   padbmaster [pid=1]"
        f"\n  {rule}\n",
    )


def _translate(fields: dict[str, str], pid: int) -> dict[str, str]:
    code, message = fields.get("C", "XX000"), fields.get("M", "")
    out = {key: value for key, value in fields.items() if key in "SCMDHP"}
    width = re.fullmatch(r"rs_width_\d+_(\w+?)_(\d+)", fields.get("n", ""))
    if code == "40001":
        out |= {"C": "XX000", "M": "1023", "D": _CYCLE.format(pid=pid)}
        out.pop("H", None)
    elif code == "57014":
        out |= {"M": f"Query ({pid}) cancelled on user's request"}
    elif code == "23514" and width:
        kind = "character varying" if width[1] == "varchar" else "character"
        out |= {"C": "22001", "M": f"value too long for type {kind}({width[2]})"}
        out.pop("D", None)
    elif code == "23502":
        column = fields.get("c", "")
        error = compute_error(
            f"Cannot insert a NULL value into column {column}", 8007, "query execution", pid
        )
        out |= error.fields
    elif code == "42501" and message.startswith("permission denied for table"):
        out["M"] = message.replace("for table", "for relation", 1)
    return out
