"""A warehouse on DuckDB that loads from folders."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sparkify_dwh import Settings, Warehouse
from support.rig import SOURCES, DuckDBRig


class Folders(DuckDBRig):
    """A warehouse in a folder of its own, with a source folder for events and one for songs."""

    def __init__(self, root: Path, template: Path, **values: Any) -> None:
        self.root, self.database = root, root / "warehouse.duckdb"
        self.folders = {source: root / name for source, name in SOURCES.items()}
        for folder in self.folders.values():
            folder.mkdir(parents=True)
        shutil.copyfile(template, self.database)
        sources = {setting: str(self.folders[source]) for source, setting in SOURCES.items()}
        self.warehouse = Warehouse(
            Settings(database_url=f"duckdb:///{self.database}", **{**sources, **values})
        )

    def put(self, source: str, name: str, data: bytes) -> Path:
        """Writes a file of a source and the folders in its name."""
        path = self.folders[source] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


#: Makes them, each in a folder of its own: ``make(**settings)``.
MakeFolders = Callable[..., Folders]
