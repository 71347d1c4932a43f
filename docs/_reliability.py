"""Writes the generated parts of docs/reliability.md and docs/licences.md; run by cog."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from _generate import table

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "reliability.json"
sys.path.insert(0, str(ROOT / "scripts"))

import licences as of_packages  # noqa: E402
import soak  # noqa: E402


def reliability(file: Path = FIGURES) -> str:
    """Every part of the long run with what its tests recorded; those that never ran, by name."""
    held = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    blocks = [overview(held)]
    ran = (part for part in soak.PARTS if part.name in held)
    blocks += [f"## {part.title}\n\n{_part(held[part.name])}" for part in ran]
    return "\n\n".join(blocks)


def overview(held: dict[str, Any]) -> str:
    """One line a part."""
    rows = []
    for part in soak.PARTS:
        found = held.get(part.name)
        if found is None:
            rows.append((part.title, f"`{part.name}`", "not run yet", None, None, None, None))
            continue
        outcome = "passed" if found["passed"] else f"**{found['failures']} failed**"
        told = (outcome, found["tests"], found["seconds"], f"`{found['commit']}`", found["at"])
        rows.append((part.title, f"`{part.name}`", *told))
    return table(("part", "`--only`", "outcome", "tests", "seconds", "commit", "when"), rows)


def _part(found: dict[str, Any]) -> str:
    lines = [f"Machine: {found['machine']}."]
    if found["seed"] is not None:
        lines.append(f"Seed: {found['seed']}.")
    if found["skipped"]:
        lines.append(f"Skipped: {found['skipped']}.")
    blocks = [" ".join(lines)]
    if found["versions"]:
        names = sorted(found["versions"].items())
        blocks.append("Versions: " + ", ".join(f"{name} {version}" for name, version in names))
    if found["figures"]:
        blocks.append(table(("what", "figures"), [_figure(each) for each in found["figures"]]))
    return "\n\n".join(blocks)


def _figure(each: dict[str, Any]) -> tuple[str, str]:
    values = {name: value for name, value in each.items() if name not in ("name", "soak")}
    told = ", ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in values.items())
    return each["name"], told


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def licences() -> str:
    """All packages that the base and the extras bring, with their licences."""
    return table(("package", "licence", "comes with"), of_packages.rows())


def allowed() -> str:
    """The licences that may be there."""
    return ", ".join(sorted(of_packages.ALLOWED))
