"""The licences of everything that an installation of the base or of an extra brings along.

Read from the metadata of the packages that are installed; tools of development are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "sparkify-dwh"
EXTRAS = ("", "aws", "redshift", "notebooks")
#: Licences that allow use, change and redistribution in a product of any kind. Those of the MPL
#: and the LGPL bind changes of the package itself only.
ALLOWED = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD", "ISC", "MIT", "MIT-0"),
        *(
            "HPND",
            "PSF-2.0",
            "Python-2.0",
            "Unlicense",
            "Zlib",
            "ZPL-2.1",
            "MPL-2.0",
            "CNRI-Python",
        ),
        *("CC0-1.0",),
    }
)
#: What older metadata say instead of an SPDX expression.
_NAMES = {
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD",
    "bsd license": "BSD",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "isc license": "ISC",
    "isc license (iscl": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "psf": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "psfl": "PSF-2.0",
    "zpl 2.1": "ZPL-2.1",
    "zope public license": "ZPL-2.1",
}


def closure(extra: str) -> dict[str, Distribution]:
    """What an installation of the project with an extra holds beside itself, by name.

    :raises PackageNotFoundError: when one of them is not installed.
    """
    found: dict[str, Distribution] = {}
    waiting, seen = [(PROJECT, frozenset({extra}))], set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        held = distribution(name)
        if name != PROJECT:
            found[name] = held
        for text in held.requires or ():
            needed = Requirement(text)
            if needed.marker is None or any(
                needed.marker.evaluate({"extra": each}) for each in extras | {""}
            ):
                waiting.append((canonicalize_name(needed.name), frozenset(needed.extras) | {""}))
    return found


def licences(held: Distribution) -> frozenset[str]:
    """The licences that all hold for a package, by their SPDX names where they are known.

    Of those that are offered for choice, the allowed ones.
    """
    meta = held.metadata
    text = meta.get("License-Expression")
    if not text:
        kinds = [c.split(" :: ")[-1] for c in meta.get_all("Classifier", ()) if "License ::" in c]
        kinds = [kind for kind in kinds if kind != "OSI Approved"]
        said = (meta.get("License") or "").strip()
        short = said if said and "\n" not in said and len(said) < 60 else ""
        text = short if _known(short) in ALLOWED else " AND ".join(kinds) or short
    parts = re.split(r"\s+AND\s+|;\s*", text)
    return frozenset(each for part in parts for each in _chosen(part.strip("() ")))


def _chosen(text: str) -> Iterator[str]:
    offered = [_known(part.strip("() ")) for part in re.split(r"\s+[Oo][Rr]\s+", text)]
    yield from ([each for each in offered if each in ALLOWED] or offered)[:1]


def _known(text: str) -> str:
    return _NAMES.get(text.lower(), text) or "none told"


def rows() -> list[tuple[str, str, str]]:
    """Package, licences, and the extras that bring it; the base is one of them."""
    places: dict[str, list[str]] = {}
    held: dict[str, Distribution] = {}
    base = closure("")
    for extra in EXTRAS:
        for name, found in closure(extra).items():
            held[name] = found
            if not extra or name not in base:
                places.setdefault(name, []).append(extra or "base")
    return [
        (name, " and ".join(sorted(licences(held[name]))), ", ".join(places[name]))
        for name in sorted(places)
    ]


def missing() -> list[str]:
    """Extras that are not installed whole."""
    found = []
    for extra in EXTRAS:
        try:
            closure(extra)
        except PackageNotFoundError:
            found.append(extra)
    return found
