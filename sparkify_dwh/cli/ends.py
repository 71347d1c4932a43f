"""How a command ends: exit codes, what stderr says, signals."""

from __future__ import annotations

import logging
import signal
import sys
from types import FrameType

import typer

from ..errors import SparkifyError
from .output import OutputError, ReaderGone, silence

log = logging.getLogger("sparkify_dwh.cli")
DEFECT = 1
USAGE = 2
ROLLED_BACK = "what was not committed is rolled back"


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM; what is not committed is rolled back on the way out."""


def ended(error: BaseException, verbose: bool, interrupted: str = ROLLED_BACK) -> int:
    """Says why a command failed; returns the exit code.

    :param interrupted: what is said of a command that a signal ended.
    """
    caught = SIGNALS.caught
    if caught is not None or isinstance(error, KeyboardInterrupt):
        number = caught or signal.SIGINT
        report(
            "terminated" if number == signal.SIGTERM else "interrupted",
            interrupted,
        )
        return 128 + number
    if isinstance(error, ReaderGone):
        silence(sys.stdout)
        return 0
    if isinstance(error, OutputError):
        silence(sys.stdout)
        report(str(error), "")
        return DEFECT
    if not isinstance(error, Exception) or isinstance(error, typer.Exit | typer.Abort):
        raise error
    if verbose:
        log.debug("traceback", exc_info=error)
    if isinstance(error, SparkifyError):
        report(error.what, error.hint)
        return error.exit_code
    text = str(error).strip().split("\n")[0]
    report(
        f"{type(error).__name__}: {text}" if text else type(error).__name__,
        "this is a defect of ours"
        + ("" if verbose else "; please report it with the output of the command with -v"),
    )
    return DEFECT


def report(what: str, hint: str) -> None:
    """Says on stderr what is wrong and what to do."""
    log.error("%s", what, extra={"hint": hint} if hint else None)


class Signals:
    """Turns SIGINT and SIGTERM into an exception in the main thread, and remembers which it was.

    An engine may swallow the exception and raise one of its own.
    """

    def __init__(self) -> None:
        self.caught: int | None = None

    def install(self) -> None:
        """Takes over both signals, but for one that is ignored."""
        for number in (signal.SIGINT, signal.SIGTERM):
            # A shell starts background jobs with SIGINT ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._raise)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        self.caught = number
        raise Interrupted("terminated" if number == signal.SIGTERM else "interrupted")


SIGNALS = Signals()
