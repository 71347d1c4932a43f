"""Events judged by the OpenLineage client, whose classes are generated from the specification.

Unlike the client, which accepts anything, a key that a class does not have, a value of
another type and a facet of another name or a later version than the class's are refused.
"""

from __future__ import annotations

import re
import types
import typing
from enum import Enum
from typing import Any

import attr
from openlineage.client.generated import (
    base,
    column_lineage_dataset,
    error_message_run,
    job_type_job,
    output_statistics_output_dataset,
    processing_engine_run,
    schema_dataset,
)

#: The class of each facet, by the key under which the specification registers it.
FACETS: dict[str, type] = {
    "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet,
    "errorMessage": error_message_run.ErrorMessageRunFacet,
    "jobType": job_type_job.JobTypeJobFacet,
    "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
    "processing_engine": processing_engine_run.ProcessingEngineRunFacet,
    "schema": schema_dataset.SchemaDatasetFacet,
}
_URL = re.compile(r"https://openlineage\.io/spec/(?:facets/)?(\d+-\d+-\d+)/(.+)")


def run_event(event: dict[str, Any]) -> Any:
    """The event as an object of the client.

    :raises AssertionError, TypeError, ValueError: where it does not follow the specification.
    """
    parsed = _parsed(base.RunEvent, event, "event")
    assert event["schemaURL"] == parsed.schemaURL
    return parsed


def _parsed(kind: Any, values: Any, where: str) -> Any:
    assert isinstance(values, dict), where
    hints = typing.get_type_hints(kind)
    fields = {each.name: each for each in attr.fields(kind)}
    assert values.keys() <= fields.keys(), (where, values.keys() - fields.keys())
    needed = {name for name, each in fields.items() if each.default is attr.NOTHING}
    # The client fills these in; the specification requires them in the event.
    needed |= {"producer", "schemaURL", "_producer", "_schemaURL"} & fields.keys()
    assert needed <= values.keys(), (where, needed - values.keys())
    arguments = {
        fields[name].alias: _checked(hints[name], value, f"{where}.{name}")
        for name, value in values.items()
        if fields[name].init
    }
    return kind(**arguments)


def _checked(hint: Any, value: Any, where: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        (hint,) = (each for each in inner if each is not types.NoneType)
        return _checked(hint, value, where)
    if origin is list:
        assert isinstance(value, list), where
        return [_checked(inner[0], each, f"{where}[{n}]") for n, each in enumerate(value)]
    if origin is dict:
        assert isinstance(value, dict), where
        return {key: _entry(inner[1], key, each, f"{where}.{key}") for key, each in value.items()}
    if attr.has(hint):
        return _parsed(hint, value, where)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    assert type(value) is hint, (where, value)
    return value


def _entry(hint: Any, key: str, value: Any, where: str) -> Any:
    if not issubclass(hint, base.BaseFacet):
        return _parsed(hint, value, where)
    kind = FACETS[key]
    assert issubclass(kind, hint), where
    ours, theirs = _URL.fullmatch(value["_schemaURL"]), _URL.fullmatch(kind._get_schema())
    assert ours and theirs and ours[2] == theirs[2], (where, value["_schemaURL"])
    assert _version(ours[1]) <= _version(theirs[1]), (where, value["_schemaURL"])
    return _parsed(kind, value, where)


def _version(text: str) -> list[int]:
    return [int(part) for part in text.split("-")]
