"""The licences of every package that the base or an extra installs.

Read from the metadata of the installed packages; development tools are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "sparkify-dwh"
EXTRAS = ("", "aws", "redshift", "notebooks")
#: Licences that allow use, modification and redistribution in any product. The MPL restricts only
#: modifications of the package itself.
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
#: What older metadata use instead of an SPDX expression.
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
    """The packages that the project needs with an extra, by name.

    :raises PackageNotFoundError: when one is not installed.
    """
    found: dict[str, Distribution] = {}
    waiting, seen = [(PROJECT, frozenset({extra}))], set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        package = distribution(name)
        if name != PROJECT:
            found[name] = package
        for text in package.requires or ():
            required = Requirement(text)
            if required.marker is None or any(
                required.marker.evaluate({"extra": each}) for each in extras | {""}
            ):
                waiting.append(
                    (canonicalize_name(required.name), frozenset(required.extras) | {""})
                )
    return found


def licences(package: Distribution) -> frozenset[str]:
    """The licences that together apply to a package, by SPDX name where known.

    Where the package offers a choice, an allowed licence is chosen.
    """
    meta = package.metadata
    text = meta.get("License-Expression")
    if not text:
        kinds = [c.split(" :: ")[-1] for c in meta.get_all("Classifier", ()) if "License ::" in c]
        kinds = [kind for kind in kinds if kind != "OSI Approved"]
        licence = (meta.get("License") or "").strip()
        short = licence if "\n" not in licence and len(licence) < 60 else ""
        text = short if _known(short) in ALLOWED else " AND ".join(kinds) or short
    parts = re.split(r"\s+AND\s+|;\s*", text)
    return frozenset(each for part in parts for each in _chosen(part.strip("() ")))


def _chosen(text: str) -> Iterator[str]:
    offered = [_known(part.strip("() ")) for part in re.split(r"\s+[Oo][Rr]\s+", text)]
    yield from ([each for each in offered if each in ALLOWED] or offered)[:1]


def _known(text: str) -> str:
    return _NAMES.get(text.lower(), text) or "not stated"


def rows() -> list[tuple[str, str, str]]:
    """Package, licences, and the extras that install it; ``base`` stands for none."""
    places: dict[str, list[str]] = {}
    packages: dict[str, Distribution] = {}
    base = closure("")
    for extra in EXTRAS:
        for name, found in closure(extra).items():
            packages[name] = found
            if not extra or name not in base:
                places.setdefault(name, []).append(extra or "base")
    return [
        (name, " and ".join(sorted(licences(packages[name]))), ", ".join(places[name]))
        for name in sorted(places)
    ]


def missing() -> list[str]:
    """Extras that are not completely installed."""
    found = []
    for extra in EXTRAS:
        try:
            closure(extra)
        except PackageNotFoundError:
            found.append(extra)
    return found
