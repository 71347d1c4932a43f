"""The one error tree; each class carries the exit code the command line ends with.

::

    SparkifyError                1  a defect of ours
    ├── UsageError               2  wrong usage
    │   ├── SettingsError        2  a setting that cannot be used
    │   └── MissingExtraError    2  an optional dependency that is not installed
    ├── SourceError              3  a source missing or unreadable
    ├── QualityError             4  the data broke a rule of the load or of the star
    │   ├── RejectLimitError     4  more rows refused than the limits allow
    │   └── CheckError           4  keys, foreign keys or ranges of the star do not hold
    ├── DatabaseError            5  the database cannot be used
    │   ├── LockError            5  another loader holds the warehouse
    │   └── SchemaVersionError   5  the schema is older or newer than this library
    ├── InfraError               6  the cluster or what it needs
    └── BooksError               1  rows read and rows accounted for differ
"""

from __future__ import annotations


class SparkifyError(Exception):
    """Base of every error this library raises on purpose.

    :param what: what is wrong, and where (object, line, rule).
    :param hint: what to do about it.
    """

    exit_code = 1
    #: The run that the error ended, where one is on record.
    run_id: str | None = None

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}\n{self.hint}" if self.hint else self.what


class UsageError(SparkifyError):
    """The command or call cannot be carried out as given."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is missing, malformed or in a place where it must not be."""


class MissingExtraError(UsageError):
    """An optional dependency is needed and not installed."""

    def __init__(self, extra: str, needed_for: str) -> None:
        super().__init__(
            f"{needed_for} needs the extra {extra!r}",
            f"install it: pip install 'sparkify-dwh[{extra}]'",
        )
        self.extra = extra


class SourceError(SparkifyError):
    """A source folder, file or bucket is missing or cannot be read."""

    exit_code = 3


class QualityError(SparkifyError):
    """The data broke a rule; the load was rolled back."""

    exit_code = 4


class RejectLimitError(QualityError):
    """More rows were refused than the limits in the settings allow."""


class CheckError(QualityError):
    """A check of the star failed."""


class BooksError(SparkifyError):
    """Rows read and rows accounted for differ, so the load was rolled back."""


class DatabaseError(SparkifyError):
    """The database cannot be opened, reached or written."""

    exit_code = 5


class LockError(DatabaseError):
    """Another loader held the warehouse for longer than ``lock_timeout``."""


class SchemaVersionError(DatabaseError):
    """The database's schema version is not the one this library needs."""


class InfraError(SparkifyError):
    """The cluster or something it needs could not be created, changed or removed."""

    exit_code = 6


def exit_code(error: BaseException) -> int:
    """The exit code that a command ends with."""
    if isinstance(error, SparkifyError):
        return error.exit_code
    if isinstance(error, Exception):
        return SparkifyError.exit_code
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    # The signal handlers raise with the name of their signal.
    return 143 if str(error) == "terminated" else 130


def without_samples(text: str) -> str:
    """A reason without its sample records, whose data must not reach the run log."""
    return "\n".join(line for line in text.split("\n") if not line.startswith("  "))


def reason(error: BaseException) -> str:
    """Why a run ended, in one line (more for refused rows)."""
    if isinstance(error, SparkifyError):
        return error.what
    if not isinstance(error, Exception):
        # The signal handlers raise with the name of their signal.
        text = str(error) or "interrupted"
        return text if isinstance(error, KeyboardInterrupt) else f"terminated: {text}"
    return f"{type(error).__name__}: {error}".splitlines()[0]
