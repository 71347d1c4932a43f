"""Everything that differs between engines. Not here: what they share, which is in steps."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from ..core.engines import ENGINES

if TYPE_CHECKING:
    from ..core.observer import Observer
    from ..core.settings import Settings
    from .base import Engine
    from .duckdb.profile.record_reader import RecordReader
    from .duckdb.profile.scan import Scan


def load_engine(settings: Settings, name: str | None = None) -> Engine:
    """The engine of ``database_url``, or the named one, for plans that do not connect."""
    module, cls = ENGINES[name or make_url(settings.database_url).get_backend_name()]
    engine: Engine = getattr(import_module(module), cls)(settings)
    return engine


def file_scanner(
    settings: Settings, name: str, observer: Observer
) -> AbstractContextManager[tuple[RecordReader, Scan]]:
    """Opens the reader and the scan that profile a source's files, whatever the engine.

    :raises DatabaseError: when memory or the disk for temporary files does not suffice.
    """
    from .duckdb.profile.scanner import open_scanner

    return open_scanner(settings, name, observer)


def register_with_alembic() -> None:
    """Registers engines with Alembic that were imported before it."""
    import alembic  # noqa: F401

    if "duckdb_sqlalchemy" in sys.modules:
        import_module("duckdb_sqlalchemy.alembic_impl")


def dataset_namespace(settings: Settings) -> tuple[str, str]:
    """Where the warehouse is and what its database is called, by OpenLineage's naming rules.

    Source: https://openlineage.io/docs/spec/naming
    """
    url = make_url(settings.database_url)
    name = url.get_backend_name()
    if name == "redshift":
        cluster, _, rest = (url.host or "").partition(".")
        cluster = settings.cluster_identifier or settings.workgroup or cluster
        parts = rest.split(".")
        region = settings.aws_region or (parts[1] if len(parts) > 2 else "")
        place = f"{cluster}.{region}" if region else cluster
        return f"{name}://{place}:{url.port or 5439}", url.database or "dev"
    # The specification has no embedded engines: the machine serves as the instance.
    return f"{name}://{gethostname()}", str(Path(url.database or ":memory:").absolute())
