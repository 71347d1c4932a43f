"""Runs what a page of docs/ shows, in its order, and compares what comes out with what is shown.

A page is executed in a folder of its own by one shell:

- a ``console`` block: each line that begins with ``$ `` is a command (``> `` continues it), the
  lines below are what a terminal shows of it. A line that ends with `` …`` stands for every line
  that begins so, and a line of ``…`` alone for any number of lines;
- a block whose first line is ``# NAME.SUFFIX`` is a file, written when the page comes to it.

What differs from run to run is taken out of both sides: run ids, seconds, the date and time of
today, process ids, progress of long loads, the newest schema version, the folder. A command that
names a run id of the page is given the id of the run at hand. A command may fail only where the
page shows it by ``$ echo $?``.

``UPDATE_DOCS=1`` writes what came out into the page; read the diff.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: The folder that pages say they work in.
SHOWN_FOLDER = "/home/ava/warehouse"
RUN_ID = re.compile(r"\d{8}T\d{9}-[0-9a-f]{6}")
#: What differs from run to run; data and files of the pages are of 2018.
_VARIES = (
    (RUN_ID, "RUN-ID"),
    (re.compile(r"20(?:2[6-9]|[3-9]\d)-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?"), "NOW"),
    (re.compile(r"\bin \d+\.\d s\b"), "in N s"),
    (re.compile(r"\bpid \d+\b"), "pid N"),
    (re.compile(r"\b000\d\b"), "REVISION"),
)
#: A line about the progress of a load that takes long.
_PROGRESS = re.compile(r"[a-z]+(?: \w+)?, \d+%(?:, .*)?")
_BLOCK = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<body>.*?)^```$", re.M | re.S)
_FILE = re.compile(r"# (?P<path>[\w./-]+\.\w+)\n")
_END = "\x1eend of command "


@dataclass
class Command:
    """A command of a page with what the page shows of it."""

    text: str
    shown: list[str] = field(default_factory=list)


def blocks(page: str, *kinds: str) -> Iterator[tuple[str, str]]:
    """Kind and body of the page's fenced blocks, of some kinds or of all."""
    for found in _BLOCK.finditer(page):
        if not kinds or found["kind"].split(" ")[0] in kinds:
            yield found["kind"], found["body"]


def commands(body: str) -> list[Command]:
    """The commands of a ``console`` block."""
    found: list[Command] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:]))
        elif line.startswith("> ") and not found[-1].shown:
            found[-1].text += "\n" + line[2:]
        else:
            found[-1].shown.append(line)
    return found


def settled(text: str) -> str:
    """A text without what differs from run to run."""
    for pattern, name in _VARIES:
        text = pattern.sub(name, text)
    return text


def agrees(shown: list[str], real: list[str]) -> bool:
    """Whether the real lines are those that the page shows."""
    pattern = ""
    for line in map(settled, shown):
        if line == "…":
            pattern += r"(?:.*\n)*?"
        elif line.endswith("…"):
            pattern += re.escape(line[:-1].rstrip()) + r".*\n"
        else:
            pattern += re.escape(line.rstrip()) + r"\n"
    text = "".join(f"{line.rstrip()}\n" for line in map(settled, real))
    return re.fullmatch(pattern, text) is not None


class Shell:
    """A shell that keeps its state from command to command, as a user's does.

    :param replaced: what stands in the page, and what it is here, such as a host.
    :param tools: folders that come first on the PATH.
    """

    def __init__(
        self,
        folder: Path,
        replaced: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        tools: Sequence[Path] = (),
    ) -> None:
        self.folder = folder
        self.replaced = {SHOWN_FOLDER: str(folder), **(replaced or {})}
        self.run_ids: dict[str, str] = {}
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SPARKIFY_", "AWS_"))}
        path = os.pathsep.join([*map(str, tools), str(Path(sys.executable).parent), kept["PATH"]])
        own = {"PATH": path, "HOME": str(folder), "NO_COLOR": "1", "TERM": "dumb", "LC_ALL": "C"}
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env={**kept, **own, "PYTHONUTF8": "1", **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def here(self, text: str) -> str:
        """A text of the page as it is for this shell."""
        for page, real in {**self.replaced, **self.run_ids}.items():
            text = text.replace(page, real)
        return text

    def run(self, command: Command) -> tuple[list[str], int]:
        """What a command writes, to both streams, as the page would show it; and its status."""
        assert self._process.stdin is not None and self._process.stdout is not None
        text = self.here(command.text)
        self._process.stdin.write(
            f"{{ {text}\n}} </dev/null\n_status=$?; printf '\\n{_END}%s\\n' $_status; "
            "(exit $_status)\n"
        )
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line.startswith(_END):
                break
            lines.append(line.rstrip("\n"))
        else:
            raise AssertionError(f"the shell ended at: {text}\n" + "\n".join(lines))
        if lines[-1] == "":
            lines.pop()
        written = "\n".join(each for each in lines if not _PROGRESS.fullmatch(each))
        found = zip(RUN_ID.findall("\n".join(command.shown)), RUN_ID.findall(written), strict=False)
        self.run_ids.update(dict(found))
        for page, real in self.replaced.items():
            written = written.replace(real, page)
        return written.splitlines(), int(line.removeprefix(_END))


def execute(path: Path, shell: Shell) -> list[str]:
    """Goes through a page; what differs is returned, in words.

    With ``UPDATE_DOCS=1`` it is written into the page.
    """
    page = path.read_text(encoding="utf-8")
    wrong: list[str] = []
    written, done = "", 0
    for found in _BLOCK.finditer(page):
        kind, body = found["kind"].split(" ")[0], found["body"]
        if kind != "console":
            name = _FILE.match(body)
            if name:
                file = shell.folder / name["path"]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(shell.here(body), encoding="utf-8")
            continue
        each = commands(body)
        for command, after in zip(each, [*each[1:], Command("")], strict=True):
            real, status = shell.run(command)
            if status and after.text != "echo $?":
                wrong.append(f"$ {command.text}\nends with {status}:\n" + "\n".join(real))
            elif not agrees(command.shown, real):
                said = "\n".join(command.shown), "\n".join(real)
                wrong.append(f"$ {command.text}\nshown:\n{said[0]}\nreal:\n{said[1]}")
                command.shown = real
        written += page[done : found.start("body")] + _block(each)
        done = found.end("body")
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(written + page[done:], encoding="utf-8")
    return wrong


def _block(each: list[Command]) -> str:
    lines: list[str] = []
    for command in each:
        first, *rest = command.text.split("\n")
        lines += [f"$ {first}", *(f"> {line}" for line in rest), *command.shown]
    return "".join(f"{line.rstrip()}\n" for line in lines)
