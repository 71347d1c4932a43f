"""Events of loads by the OpenLineage specification, appended to a file, one JSON object a line.

Source: https://openlineage.io/docs/spec/object-model and, for names, https://openlineage.io/docs/spec/naming
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ...core.errors import reason, without_samples
from ...core.settings import Settings
from ...core.version import __version__
from ...dialects import dataset_namespace
from ...models.declare import Declarations
from ...models.lineage import lineage
from ...steps import ledger
from ...steps.ledger import RunIdentity
from ...storage.objects import folder_key
from ...storage.s3 import SCHEME
from .result import Run

log = logging.getLogger("sparkify_dwh.load")
PRODUCER = f"https://pypi.org/project/sparkify-dwh/{__version__}/"
_SPEC = "https://openlineage.io/spec"
SCHEMA_URL = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = {
    "ColumnLineageDatasetFacet": "facets/1-2-0",
    "ErrorMessageRunFacet": "facets/1-0-1",
    "JobTypeJobFacet": "facets/2-0-4",
    "OutputStatisticsOutputDatasetFacet": "facets/1-0-2",
    "ProcessingEngineRunFacet": "facets/1-1-1",
    "SchemaDatasetFacet": "facets/1-2-0",
}


def run_uuid(run_id: str) -> str:
    """The UUID that the specification asks for; always the same for a run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PRODUCER}runs/{run_id}"))


class Events:
    """The events of one load: START, then one of COMPLETE, FAIL, ABORT. Never raises."""

    def __init__(
        self, settings: Settings, declarations: Declarations, identity: RunIdentity
    ) -> None:
        self.settings, self.declarations, self.identity = settings, declarations, identity
        self.path = Path(settings.openlineage or "").expanduser()
        self.places = {
            source.name: dataset_of(place)
            for source in declarations.sources
            if (place := settings.location(source.name, source.setting))
        }

    def started(self) -> None:
        """Appends START, with everything the load may read and write."""
        outputs = [self._output(target.table, {}) for target in self.declarations.targets]
        self._append("START", self.identity.started_at, self._inputs(self.places), outputs)

    def completed(self, run: Run) -> None:
        """Appends COMPLETE, with what the load read and wrote, and the rows."""
        read = [book.source for book in run.sources if book.objects]
        tables = {target.name: target.table for target in self.declarations.targets}
        outputs = [
            self._output(
                tables[account.target],
                _facet("OutputStatisticsOutputDatasetFacet", rowCount=account.merged),
            )
            for account in run.targets
        ]
        self._append("COMPLETE", ledger.utc_now(), self._inputs(read), outputs)

    def failed(self, error: BaseException) -> None:
        """Appends FAIL, or ABORT where the load was ended from outside."""
        facet = _facet(
            "ErrorMessageRunFacet",
            message=without_samples(reason(error)),
            programmingLanguage="PYTHON",
        )
        kind = "FAIL" if isinstance(error, Exception) else "ABORT"
        inputs = self._inputs(self.places)
        self._append(kind, ledger.utc_now(), inputs, [], {"errorMessage": facet})

    # The parts of an event --------------------------------------------------------------------

    def _inputs(self, names: Iterable[str]) -> list[dict[str, Any]]:
        found = []
        for name in names:
            source = self.declarations.source(name)
            schema = _schema({"name": key, "type": "VARCHAR"} for key in source.keys)
            found.append({**self.places[name], "facets": {"schema": schema}})
        return found

    def _output(self, table: sa.Table, statistics: dict[str, Any]) -> dict[str, Any]:
        schema = _schema(
            {"name": c.name, "type": str(c.type), "description": c.comment or ""}
            for c in table.columns
        )
        facets = {"schema": schema}
        if columns := self._columns(table):
            facets["columnLineage"] = _facet("ColumnLineageDatasetFacet", fields=columns)
        found: dict[str, Any] = {**self._dataset(table), "facets": facets}
        if statistics:
            found["outputFacets"] = {"outputStatistics": statistics}
        return found

    def _columns(self, table: sa.Table) -> dict[str, Any]:
        """The fields that each column comes from, for sources that have a place."""
        found = {}
        for each in lineage(self.declarations):
            inputs = [
                {**self.places[origin.source], "field": origin.key}
                for origin in each.origins
                if origin.source in self.places
            ]
            if each.table == table.name and inputs:
                found[each.column] = {"inputFields": inputs}
        return found

    def _dataset(self, table: sa.Table) -> dict[str, str]:
        namespace, database = dataset_namespace(self.settings)
        return {"namespace": namespace, "name": f"{database}.{table.schema}.{table.name}"}

    def _append(
        self,
        kind: str,
        at: datetime,
        inputs: list[dict[str, Any]],
        outputs: list[dict[str, Any]],
        facets: dict[str, Any] | None = None,
    ) -> None:
        try:
            engine = _facet(
                "ProcessingEngineRunFacet",
                version=__version__,
                name="sparkify-dwh",
                openlineageAdapterVersion=__version__,
            )
            job = _facet(
                "JobTypeJobFacet", processingType="BATCH", integration="SPARKIFY", jobType="JOB"
            )
            event = {
                "eventType": kind,
                "eventTime": f"{at.isoformat(timespec='milliseconds')}Z",
                "producer": PRODUCER,
                "schemaURL": SCHEMA_URL,
                "run": {
                    "runId": run_uuid(self.identity.run_id),
                    "facets": {"processing_engine": engine, **(facets or {})},
                },
                "job": {
                    "namespace": dataset_namespace(self.settings)[0],
                    "name": f"{dataset_namespace(self.settings)[1]}.sparkify_load",
                    "facets": {"jobType": job},
                },
                "inputs": inputs,
                "outputs": outputs,
            }
            append_line(self.path, json.dumps(event))
        except Exception as error:
            log.warning("no lineage event in %s: %s", self.path, error)


def append_line(path: Path, line: str) -> None:
    """Appends a line in one write, so that the lines of several loaders do not mix."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, (line + "\n").encode())
    finally:
        os.close(handle)


def dataset_of(place: str) -> dict[str, str]:
    """Namespace and name of a folder, a file or a prefix."""
    if place.startswith(SCHEME):
        bucket, _, key = place.removeprefix(SCHEME).partition("/")
        return {"namespace": f"{SCHEME}{bucket}", "name": key.rstrip("/") or "/"}
    return {"namespace": "file", "name": folder_key(place)}


def _facet(name: str, /, **values: Any) -> dict[str, Any]:
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"{_SPEC}/{_FACETS[name]}/{name}.json#/$defs/{name}",
        **values,
    }


def _schema(fields: Iterable[dict[str, Any]]) -> dict[str, Any]:
    numbered = [{**each, "ordinal_position": number} for number, each in enumerate(fields, 1)]
    return _facet("SchemaDatasetFacet", fields=numbered)


__all__ = ["Events", "append_line", "dataset_of", "run_uuid"]
