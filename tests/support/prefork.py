"""A `sparkify` that starts in no time, for tests that run many commands.

One process imports the library and forks for each command; the `sparkify` on the tests' PATH hands
its arguments, folder, environment and streams over to it. Each command is a process of its own as
ever, but for the imports. What those cost, and that they work, is held by other tests.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_SHIM = """\
#!{python} -SE
import json, os, socket, sys
home = socket.socket(socket.AF_UNIX)
home.connect({address!r})
request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(home, [len(request).to_bytes(4, "big")], [0, 1, 2])
home.sendall(request)
sys.exit((home.recv(1) or b"\\x89")[0])
"""


@contextlib.contextmanager
def preforked(folder: Path) -> Iterator[Path]:
    """A folder for PATH with a `sparkify` in it, while the process behind it is there."""
    address = str(folder / "home")
    ready, ready_end = os.pipe()
    server = subprocess.Popen(
        [sys.executable, __file__, address, str(ready_end)],
        pass_fds=[ready_end],
        stdin=subprocess.DEVNULL,
    )
    os.close(ready_end)
    with os.fdopen(ready, "rb") as stream:
        assert stream.read() == b"ready"
    shim = folder / "sparkify"
    shim.write_text(_SHIM.format(python=sys.executable, address=address))
    shim.chmod(0o755)
    try:
        yield folder
    finally:
        server.terminate()
        server.wait()


def serve(address: str, ready_end: int) -> None:
    """Forks a process for each command that is asked for, until it is terminated."""
    import importlib
    import pkgutil
    import signal

    import sparkify_dwh

    # All that a command may import when it runs, and what the library imports within functions.
    for found in pkgutil.walk_packages(sparkify_dwh.__path__, "sparkify_dwh."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    for name in ("alembic.command", "rich.console", "rich.table"):
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    with socket.socket(socket.AF_UNIX) as home:
        home.bind(address)
        home.listen()
        os.write(ready_end, b"ready")
        os.close(ready_end)
        while True:
            caller, _ = home.accept()
            if os.fork() == 0:
                home.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _answer(caller)
            caller.close()


def _answer(caller: socket.socket) -> None:
    size, streams, _, _ = socket.recv_fds(caller, 4, 3)
    request = bytearray()
    while len(request) < int.from_bytes(size, "big"):
        request += caller.recv(65_536)
    arguments, folder, environment = json.loads(request)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["sparkify", *arguments]
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
    sys.stdout = _writer(1)
    sys.stderr = _writer(2)
    code = 1
    try:
        sys.modules["sparkify_dwh.cli"].main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        caller.sendall(bytes([code]))
        os._exit(code)


def _writer(number: int) -> io.TextIOWrapper:
    raw = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
    return io.TextIOWrapper(raw, encoding="utf-8", line_buffering=number == 2)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
