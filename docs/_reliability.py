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
    """Each part of the long run with its results; parts that never ran are only listed."""
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    blocks = [overview(results)]
    ran = (part for part in soak.PARTS if part.name in results)
    blocks += [f"## {part.title}\n\n{_part(results[part.name])}" for part in ran]
    return "\n\n".join(blocks)


def overview(results: dict[str, Any]) -> str:
    """A table with one row per part."""
    rows = []
    for part in soak.PARTS:
        found = results.get(part.name)
        if found is None:
            rows.append((part.title, f"`{part.name}`", "not run yet", None, None, None, None))
            continue
        outcome = "passed" if found["passed"] else f"**{found['failures']} failed**"
        commit = f"`{found['commit']}`"
        facts = (outcome, found["tests"], found["seconds"], commit, found["at"])
        rows.append((part.title, f"`{part.name}`", *facts))
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
    texts = (f"{name.replace('_', ' ')} {_shown(value)}" for name, value in values.items())
    return each["name"], ", ".join(texts)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def licences() -> str:
    """All packages that the base and the extras install, with their licences."""
    return table(("package", "licence", "comes with"), of_packages.rows())


def allowed() -> str:
    """The allowed licences."""
    return ", ".join(sorted(of_packages.ALLOWED))
