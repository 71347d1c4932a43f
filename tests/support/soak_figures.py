"""Figures that long tests record: one line of JSON each, in the file that the environment names."""

from __future__ import annotations

import json
import os

#: The variable that names the file; without it nothing is recorded.
FILE = "SPARKIFY_SOAK_FIGURES"
STANDIN = "redshift stand-in"


def figure(name: str, **values: object) -> None:
    """Appends ``{"name": name, "soak": …, **values}`` to the file of :data:`FILE`.

    The line is written by one call in append mode, so that processes may share the file. No test
    has a real cluster: the engine ``redshift`` is recorded as its stand-in. ``soak`` tells whether
    the whole work was done or the sample of a usual run; ``values`` must be JSON.
    """
    path = os.environ.get(FILE)
    if not path:
        return
    if values.get("engine") == "redshift":
        values["engine"] = STANDIN
    soak = os.environ.get("SPARKIFY_SOAK") == "1"
    line = json.dumps({"name": name, "soak": soak, **values}, ensure_ascii=False) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
