"""Property tests whose examples are counted and put on record."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

from hypothesis import settings

from support.soak_figures import figure


def examples(usual: int, soak: int) -> int:
    """How many examples a property test tries in the current profile."""
    return soak if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else usual


def fuzzed(
    what: str, usual: int, soak: int, **more: object
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Above ``given``: the number of examples, which are recorded as they were tried.

    :param what: is fuzzed, as the page names it.
    :param usual: at most so many in a usual run, ``soak`` in a long one.
    :param more: recorded beside them.
    """

    def decorate(check: Any) -> Callable[..., None]:
        tried = [0]
        inner = check.hypothesis.inner_test

        @wraps(inner)
        def counted(*args: Any, **named: Any) -> Any:
            tried[0] += 1
            return inner(*args, **named)

        check.hypothesis.inner_test = counted
        run = settings(max_examples=examples(usual, soak))(check)

        @wraps(run)
        def recorded(*args: Any, **named: Any) -> None:
            run(*args, **named)
            figure("fuzzed", what=what, examples=tried[0], **more)

        return recorded

    return decorate
