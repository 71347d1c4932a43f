"""One CloudFormation stack: its state, events and change sets, and its deletion."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import InfraError
from .aws import Clients, aws_errors, code_of, message_of, wait_until
from .plan import Change
from .results import StackEvent

#: States in which a stack can only be deleted.
DEAD = frozenset({"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"})
_STARTS = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"})
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
_ACTIONS = {"Add": "create", "Modify": "modify", "Remove": "delete", "Import": "import"}
_REPLACES = {"True": "REPLACE", "Conditional": "may REPLACE"}

Tell = Callable[[str | StackEvent], None]


@dataclass(frozen=True)
class ChangeSet:
    """A change set that waits to be executed; ``arn`` is None when there is nothing to change."""

    arn: str | None
    creates: bool
    changes: tuple[Change, ...]


class Stack:
    """A stack by its name.

    :param tell: receives lines and :class:`StackEvent` as the work goes on.
    :param sleep: called with seconds between two requests to AWS while waiting.
    """

    def __init__(
        self, clients: Clients, name: str, tell: Tell, sleep: Callable[[float], None]
    ) -> None:
        self.clients = clients
        self.name = name
        self.tell = tell
        self.sleep = sleep

    @property
    def _cfn(self) -> Any:
        return self.clients["cloudformation"]

    def describe(self, which: str | None = None) -> dict[str, Any] | None:
        """The stack as CloudFormation describes it; None where there is none."""
        from botocore.exceptions import ClientError

        with aws_errors(f"describing stack {self.name}"):
            try:
                stacks = self._cfn.describe_stacks(StackName=which or self.name)["Stacks"]
            except ClientError as error:
                if code_of(error) == "ValidationError" and "exist" in message_of(error):
                    return None
                raise
        return dict(stacks[0]) if stacks else None

    def state(self) -> str | None:
        """CloudFormation's status of the stack; None where there is no stack."""
        description = self.describe()
        return description["StackStatus"] if description else None

    def settle(self) -> str | None:
        """Waits for an operation in progress, and returns the state after it."""
        description = self.describe()
        if description and in_progress(description["StackStatus"]):
            self.tell(f"{self.name} is {description['StackStatus']}: waiting for it to finish")
            self.follow(description["StackId"], seen=self.event_ids(description["StackId"]))
        return self.state()

    def resources(self) -> dict[str, dict[str, Any]]:
        """The stack's resources by logical name: ``PhysicalResourceId``, ``ResourceType``."""
        with aws_errors(f"listing the resources of {self.name}"):
            pages = self._cfn.get_paginator("list_stack_resources").paginate(StackName=self.name)
            summaries = [s for page in pages for s in page["StackResourceSummaries"]]
        return {
            resource["LogicalResourceId"]: resource
            for resource in summaries
            if resource.get("PhysicalResourceId")
            and resource.get("ResourceStatus") != "DELETE_COMPLETE"
        }

    def prepare(
        self, body: str, values: Mapping[str, str], tags: Mapping[str, str], state: str | None
    ) -> ChangeSet:
        """Creates a change set and reads it; it waits to be executed or discarded.

        :raises InfraError: when CloudFormation rejects the template or its parameters.
        """
        if state == "REVIEW_IN_PROGRESS":
            # Left by an interrupted plan: it holds nothing.
            self.delete()
            state = None
        creates = state is None
        with aws_errors(f"planning stack {self.name}"):
            arn = self._cfn.create_change_set(
                StackName=self.name,
                ChangeSetName=f"sparkify-{uuid.uuid4().hex[:12]}",
                ChangeSetType="CREATE" if creates else "UPDATE",
                TemplateBody=body,
                Parameters=[
                    {"ParameterKey": k, "ParameterValue": v} for k, v in sorted(values.items())
                ],
                Capabilities=["CAPABILITY_NAMED_IAM"],
                Tags=[{"Key": k, "Value": v} for k, v in sorted(tags.items())],
            )["Id"]
            try:
                return self._read(arn, creates)
            except BaseException:
                self.discard(ChangeSet(arn, creates, ()))
                raise

    def _read(self, arn: str, creates: bool) -> ChangeSet:
        answer: dict[str, Any] = {}

        def is_complete() -> bool:
            answer.update(self._cfn.describe_change_set(ChangeSetName=arn, StackName=self.name))
            return str(answer["Status"]).endswith(("COMPLETE", "FAILED"))

        wait_until(is_complete, "the change set", sleep=self.sleep, every=2, limit=600)
        if answer["Status"] == "FAILED":
            reason = str(answer.get("StatusReason", "no reason given"))
            if any(words in reason for words in _NO_CHANGES):
                self.discard(ChangeSet(arn, creates, ()))
                return ChangeSet(None, creates, ())
            raise InfraError(
                f"CloudFormation rejects the plan of {self.name}: {reason}",
                "fix the setting that it names in [infra] and run this again",
            )
        changes = list(answer["Changes"])
        while answer.get("NextToken"):
            answer = self._cfn.describe_change_set(
                ChangeSetName=arn, StackName=self.name, NextToken=answer["NextToken"]
            )
            changes += answer["Changes"]
        return ChangeSet(arn, creates, tuple(resource_change(c["ResourceChange"]) for c in changes))

    def discard(self, change_set: ChangeSet) -> None:
        """Deletes a change set, and the empty stack that CloudFormation created for it."""
        if change_set.arn is None:
            return
        with aws_errors(f"discarding the plan of {self.name}"):
            self._cfn.delete_change_set(ChangeSetName=change_set.arn, StackName=self.name)
        if change_set.creates and self.state() == "REVIEW_IN_PROGRESS":
            self.delete()

    def execute(self, change_set: ChangeSet) -> str:
        """Carries out a change set, waits, and returns the final state."""
        description = self.describe() or {}
        stack_id = description.get("StackId", self.name)
        seen = self.event_ids(stack_id)
        with aws_errors(f"deploying stack {self.name}"):
            self._cfn.execute_change_set(ChangeSetName=change_set.arn, StackName=self.name)
        return self.follow(stack_id, seen=seen, after=description.get("StackStatus"))

    def delete(self) -> str:
        """Deletes the stack, waits, and returns ``DELETE_COMPLETE`` or ``DELETE_FAILED``."""
        description = self.describe()
        if description is None:
            return "DELETE_COMPLETE"
        seen = self.event_ids(description["StackId"])
        with aws_errors(f"deleting stack {self.name}"):
            self._cfn.delete_stack(StackName=description["StackId"])
        return self.follow(description["StackId"], seen=seen, after=description["StackStatus"])

    def continue_rollback(self) -> str:
        """Retries the rollback of an update that got stuck, and returns the final state."""
        description = self.describe() or {}
        seen = self.event_ids(description["StackId"])
        with aws_errors(f"rolling back stack {self.name}"):
            self._cfn.continue_update_rollback(StackName=self.name)
        return self.follow(description["StackId"], seen=seen, after="UPDATE_ROLLBACK_FAILED")

    def events(self, stack_id: str) -> list[dict[str, Any]]:
        """Events of the stack, oldest first."""
        with aws_errors(f"reading the events of {self.name}"):
            pages = self._cfn.get_paginator("describe_stack_events").paginate(StackName=stack_id)
            newest_first = [event for page in pages for event in page["StackEvents"]]
        return newest_first[::-1]

    def event_ids(self, stack_id: str) -> set[str]:
        """Ids of the events so far."""
        return {event["EventId"] for event in self.events(stack_id)}

    def follow(self, stack_id: str, *, seen: set[str], after: str | None = None) -> str:
        """Reports each new event until the operation ends, and returns the final state.

        :param after: the state before the operation, which CloudFormation may report at first.
        """
        state = ""

        def has_ended() -> bool:
            nonlocal state
            description = self.describe(stack_id)
            state = description["StackStatus"] if description else "DELETE_COMPLETE"
            new = (
                [e for e in self.events(stack_id) if e["EventId"] not in seen]
                if description
                else []
            )
            seen.update(e["EventId"] for e in new)
            for event in new:
                self.tell(stack_event(event))
            started = state != after or any(e["PhysicalResourceId"] == stack_id for e in new)
            return started and not in_progress(state)

        wait_until(has_ended, f"stack {self.name}", sleep=self.sleep, every=5)
        return state

    def first_failure(self, stack_id: str) -> StackEvent | None:
        """The first resource that failed in the newest operation, leaving out cancelled ones."""
        events = self.events(stack_id)
        starts = [
            number
            for number, event in enumerate(events)
            if event["PhysicalResourceId"] == stack_id and event["ResourceStatus"] in _STARTS
        ]
        for event in events[starts[-1] if starts else 0 :]:
            failure = stack_event(event)
            cancelled = "cancelled" in failure.reason.lower()
            if failure.status.endswith("_FAILED") and not cancelled:
                return failure
        return None


def in_progress(state: str) -> bool:
    """Whether CloudFormation is working on the stack."""
    return state.endswith("_IN_PROGRESS") and state != "REVIEW_IN_PROGRESS"


def stack_event(event: Mapping[str, Any]) -> StackEvent:
    """An event as CloudFormation reports it, as ours."""
    return StackEvent(
        event["LogicalResourceId"],
        event.get("ResourceType", ""),
        event.get("ResourceStatus", ""),
        event.get("ResourceStatusReason") or "",
    )


def resource_change(change: Mapping[str, Any]) -> Change:
    """A ``ResourceChange`` of a change set, as ours."""
    action = _ACTIONS.get(change["Action"], str(change["Action"]).lower())
    if action == "modify":
        action = _REPLACES.get(change.get("Replacement", "False"), action)
    names = {
        str(detail["Target"]["Name"])
        for detail in change.get("Details", [])
        if detail.get("Target", {}).get("Name")
    }
    return Change(action, change["LogicalResourceId"], change["ResourceType"], tuple(sorted(names)))
