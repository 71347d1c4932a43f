"""Prints the lowest version of each dependency that setup.cfg allows, as pip constraints.

usage: python scripts/lowest.py [EXTRA …]
"""

from __future__ import annotations

import configparser
import re
import sys
from pathlib import Path

SETUP = Path(__file__).parents[1] / "setup.cfg"
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?:\[[^]]*\])?(?P<bounds>.*)")
_LOWER = re.compile(r"(?:>=|~=|==)\s*([^\s,]+)")


def lowest(extras: list[str], text: str) -> list[str]:
    """``name==version`` for each direct dependency of the base and the extras.

    :raises ValueError: when a dependency has no lower bound.
    """
    config = configparser.ConfigParser()
    config.read_string(text)
    requirements = config["options"]["install_requires"].split("\n")
    for extra in extras:
        requirements += config["options.extras_require"][extra].split("\n")
    pins = []
    for requirement in filter(None, map(str.strip, requirements)):
        match = _REQUIREMENT.fullmatch(requirement)
        assert match is not None, requirement
        if match["name"] == "sparkify-dwh":
            continue
        lower = _LOWER.search(match["bounds"])
        if lower is None:
            raise ValueError(f"{requirement} has no lower bound")
        pins.append(f"{match['name']}=={lower[1]}")
    return pins


if __name__ == "__main__":
    sys.stdout.write("\n".join(lowest(sys.argv[1:], SETUP.read_text(encoding="utf-8"))) + "\n")
