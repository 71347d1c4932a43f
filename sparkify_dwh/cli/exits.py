"""How a command ends: exit codes, error messages, signals."""

from __future__ import annotations

import logging
import signal
import sys
from types import FrameType
from typing import Any

import typer

from ..core import run_context
from ..core.errors import SparkifyError
from .output import OutputError, ReaderGone, silence

log = logging.getLogger("sparkify_dwh.cli")
DEFECT = 1
USAGE = 2
SOMETHING_TO_LOAD = 10
ROLLED_BACK = "uncommitted changes are rolled back"


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM; uncommitted changes are rolled back on the way out."""


def report_error(
    error: BaseException, verbose: bool, interrupted_message: str = ROLLED_BACK, command: str = ""
) -> int:
    """Logs why a command failed, in one message of level error; returns the exit code.

    :param interrupted_message: hint for a command that a signal ended.
    :param command: its name, for messages in JSON.
    """

    def report(what: str, hint: str, code: int) -> int:
        _log(what, hint, command=command, error=type(error).__name__, exit_code=code)
        return code

    caught = SIGNALS.caught
    if caught is not None or isinstance(error, KeyboardInterrupt):
        number = caught or signal.SIGINT
        word = "terminated" if number == signal.SIGTERM else "interrupted"
        return report(word, interrupted_message, 128 + number)
    if isinstance(error, ReaderGone):
        silence(sys.stdout)
        return 0
    if isinstance(error, OutputError):
        silence(sys.stdout)
        return report(str(error), "", DEFECT)
    if not isinstance(error, Exception) or isinstance(error, typer.Exit | typer.Abort):
        raise error
    if verbose:
        log.debug("traceback", exc_info=error)
    if isinstance(error, SparkifyError):
        return report(error.what, error.hint, error.exit_code)
    text = str(error).strip().split("\n")[0]
    return report(
        f"{type(error).__name__}: {text}" if text else type(error).__name__,
        "this is a bug in sparkify"
        + ("" if verbose else "; please report it with the output of the command with -v"),
        DEFECT,
    )


def report_usage(what: str, hint: str) -> None:
    """Logs what is wrong with how a command was called."""
    _log(what, hint, exit_code=USAGE)


def _log(what: str, hint: str, **more: object) -> None:
    log.error("%s", what, extra={**({"hint": hint} if hint else {}), **more})


def failed_load(error: BaseException) -> dict[str, Any]:
    """A failed load as plain values, for ``--json``."""
    from ..core.errors import QualityError, exit_code, reason, without_samples

    run_id = run_context.RUN_ID.get() if run_context.IS_RECORDED.get() else None
    event = "rolled back" if run_id else "not started"
    if isinstance(error, QualityError):
        event = "refused"
    caught = SIGNALS.caught
    return {
        "event": event,
        "run_id": run_id,
        "error": type(error).__name__,
        "reason": without_samples(reason(error)),
        "hint": getattr(error, "hint", "") or None,
        "exit_code": exit_code(error) if caught is None else 128 + caught,
    }


class Signals:
    """Turns SIGINT and SIGTERM into an exception in the main thread, and remembers which it was.

    An engine may swallow that exception and raise its own.
    """

    def __init__(self) -> None:
        self.caught: int | None = None

    def install(self) -> None:
        """Takes over both signals, except one that is ignored."""
        for number in (signal.SIGINT, signal.SIGTERM):
            # A shell starts background jobs with SIGINT ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._raise)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        self.caught = number
        raise Interrupted("terminated" if number == signal.SIGTERM else "interrupted")


SIGNALS = Signals()
