"""Renders the template as CloudFormation would, and judges IAM policies with allow and deny."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import translate
from typing import Any

import yaml

from sparkify_dwh.infra.stack_template import template

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "sparkify-dwh",
    "AWS::URLSuffix": "amazonaws.com",
}
_NOTHING = object()


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags in their long form."""


def _tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tag)


def load() -> dict[str, Any]:
    """The template, short tags in their long form."""
    return yaml.load(template(), Loader=_Loader)


class Rendered:
    """The template with its parameters and conditions resolved; GetAtt and Ref of resources stay.

    :param given: values of parameters, as sent to CloudFormation; the others keep their default.
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self.source = load()
        #: Resources that a property names only to be created after them.
        self.waits: set[str] = set()
        self.values: dict[str, Any] = dict(PSEUDO)
        for name, declared in self.source["Parameters"].items():
            value = (given or {}).get(name, declared.get("Default"))
            allowed = declared.get("AllowedPattern")
            if allowed and not re.search(allowed, str(value)):
                raise ValueError(f"{name}: {value!r} does not match {allowed}")
            if "AllowedValues" in declared and str(value) not in map(
                str, declared["AllowedValues"]
            ):
                raise ValueError(f"{name}: {value!r} is not allowed")
            self.values[name] = value.split(",") if "List" in declared["Type"] else value
        unknown = set(given or {}) - self.source["Parameters"].keys()
        if unknown:
            raise ValueError(f"no such parameters: {unknown}")
        self.resources = {
            name: self.resolve({k: v for k, v in body.items() if k != "Condition"})
            for name, body in self.source["Resources"].items()
            if "Condition" not in body or self.holds(body["Condition"])
        }
        self.outputs = {
            name: self.resolve({"Value": body["Value"]})
            for name, body in self.source["Outputs"].items()
            if "Condition" not in body or self.holds(body["Condition"])
        }

    def holds(self, condition: Any) -> bool:
        """Whether a condition, by name or as written, is true."""
        if isinstance(condition, str):
            return self.holds(self.source["Conditions"][condition])
        ((operator, value),) = condition.items()
        if operator == "Condition":
            return self.holds(value)
        if operator == "Fn::Equals":
            left, right = (self.resolve(side) for side in value)
            return str(left) == str(right)
        if operator == "Fn::Not":
            return not self.holds(value[0])
        parts = [self.holds(part) for part in value]
        return {"Fn::And": all, "Fn::Or": any}[operator](parts)

    def resolve(self, value: Any) -> Any:
        """A value with parameters and conditions resolved; AWS::NoValue removes its key or item."""
        if isinstance(value, list):
            return [r for r in map(self.resolve, value) if r is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((key, inner),) = value.items()
            if key == "Ref":
                return _NOTHING if inner == "AWS::NoValue" else self.values.get(inner, value)
            if key == "Fn::If":
                return self.resolve(inner[1 if self.holds(inner[0]) else 2])
            if key == "Fn::Join":
                return inner[0].join(self.resolve(inner[1]))
            if key == "Fn::Sub":
                text = re.sub(
                    r"\$\{([A-Za-z0-9:]+)\}",
                    lambda m: str(self.values.get(m[1], m[0])),
                    inner,
                )
                return {"Fn::Sub": text} if "${" in text else text
            if key == "Fn::Select" and isinstance(inner[1], list):
                self.waits |= set(_references(self.resolve(inner[1])))
                return self.resolve(inner[1][int(inner[0])])
            if key == "Fn::GetAtt":
                return value
        resolved = {k: self.resolve(v) for k, v in value.items()}
        return {k: v for k, v in resolved.items() if v is not _NOTHING}

    def of_type(self, kind: str) -> dict[str, Any]:
        """Properties of the resources of one type, by logical name."""
        return {n: r.get("Properties", {}) for n, r in self.resources.items() if r["Type"] == kind}

    def document(self) -> dict[str, Any]:
        """A template without parameters and conditions that makes exactly these resources."""
        document = {k: v for k, v in self.source.items() if k in ("AWSTemplateFormatVersion",)}
        return {**document, "Resources": self.resources, "Outputs": self.outputs}

    def missing_references(self) -> set[str]:
        """Names of resources that are referred to but not made."""
        return set(_references({**self.resources, **self.outputs})) - self.resources.keys()

    def statements(self, role: str) -> list[dict[str, Any]]:
        """Statements of all policies of a role, the work bucket named ``work``."""
        found = [p["PolicyDocument"] for p in self.resources[role]["Properties"]["Policies"]]
        attached = self.of_type("AWS::IAM::Policy").values()
        found += [p["PolicyDocument"] for p in attached if {"Ref": role} in p["Roles"]]
        return [_named(statement) for document in found for statement in document["Statement"]]


def _named(value: Any) -> Any:
    """The value with the work bucket's ARN filled in."""
    if isinstance(value, list):
        return [_named(item) for item in value]
    if isinstance(value, dict):
        if value == {"Fn::GetAtt": ["WorkBucket", "Arn"]}:
            return "arn:aws:s3:::work"
        if set(value) == {"Fn::Sub"}:
            return value["Fn::Sub"].replace("${WorkBucket.Arn}", "arn:aws:s3:::work")
        return {k: _named(v) for k, v in value.items()}
    return value


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref" and isinstance(inner, str) and inner not in PSEUDO:
                yield inner
            elif key == "Fn::GetAtt":
                yield inner[0]
            elif key == "Fn::Sub":
                yield from (m.split(".")[0] for m in re.findall(r"\$\{(\w+)[.\w]*\}", inner))
            elif key == "DependsOn":
                yield from ([inner] if isinstance(inner, str) else inner)
            else:
                yield from _references(inner)


def allowed(
    statements: Iterable[Mapping[str, Any]],
    action: str,
    resource: str,
    context: Mapping[str, str] | None = None,
) -> bool:
    """IAM's verdict: an explicit deny wins, then an allow, otherwise denied."""
    verdict = False
    for statement in statements:
        matches = (
            any(_like(action.lower(), each.lower()) for each in _list(statement["Action"]))
            and any(_like(resource, each) for each in _list(statement["Resource"]))
            and _conditions(statement.get("Condition", {}), context or {})
        )
        if matches and statement["Effect"] == "Deny":
            return False
        verdict = verdict or matches
    return verdict


def _conditions(conditions: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    for operator, tests in conditions.items():
        assert operator in ("StringLike", "ArnLike", "Bool", "StringEquals"), operator
        for key, patterns in tests.items():
            if key not in context:
                return False
            like = operator in ("StringLike", "ArnLike")
            if not any(
                _like(context[key], p) if like else context[key] == p for p in _list(patterns)
            ):
                return False
    return True


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _like(text: str, pattern: str) -> bool:
    # Of fnmatch's wildcards IAM knows * and ?, not brackets.
    return re.match(translate(pattern.replace("[", "[[]")), text) is not None
