"""One CloudFormation stack: its state, its events, its change sets, its end."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import InfraError
from .aws import Clients, code_of, message_of, translated, wait_until
from .results import Change, Progress

#: States in which nothing can be done with a stack but delete it.
DEAD = frozenset({"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"})
_BEGINS = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"})
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
_ACTIONS = {"Add": "create", "Modify": "modify", "Remove": "delete", "Import": "import"}
_REPLACES = {"True": "REPLACE", "Conditional": "may REPLACE"}

Tell = Callable[[str | Progress], None]


@dataclass(frozen=True)
class ChangeSet:
    """A change set that waits to be executed; ``arn`` is None when there is nothing to change."""

    arn: str | None
    creates: bool
    changes: tuple[Change, ...]


class Stack:
    """A stack by its name.

    :param tell: gets lines and :class:`Progress` while something goes on.
    :param sleep: called between two looks, with seconds.
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

        with translated(f"looking at stack {self.name}"):
            try:
                stacks = self._cfn.describe_stacks(StackName=which or self.name)["Stacks"]
            except ClientError as error:
                if code_of(error) == "ValidationError" and "exist" in message_of(error):
                    return None
                raise
        return dict(stacks[0]) if stacks else None

    def state(self) -> str | None:
        """The stack's status, None where there is none."""
        found = self.describe()
        return found["StackStatus"] if found else None

    def settle(self) -> str | None:
        """Waits for whatever is under way, and gives the state after it."""
        found = self.describe()
        if found and under_way(found["StackStatus"]):
            self.tell(f"{self.name} is {found['StackStatus']}: waiting for it to end")
            self.follow(found["StackId"], seen=self.seen(found["StackId"]))
        return self.state()

    def resources(self) -> dict[str, dict[str, Any]]:
        """What the stack holds, by logical name: ``PhysicalResourceId``, ``ResourceType``."""
        with translated(f"listing the resources of {self.name}"):
            pages = self._cfn.get_paginator("list_stack_resources").paginate(StackName=self.name)
            found = [each for page in pages for each in page["StackResourceSummaries"]]
        return {
            each["LogicalResourceId"]: each
            for each in found
            if each.get("PhysicalResourceId") and each.get("ResourceStatus") != "DELETE_COMPLETE"
        }

    def prepare(
        self, body: str, values: Mapping[str, str], tags: Mapping[str, str], state: str | None
    ) -> ChangeSet:
        """Makes a change set and reads it; it waits to be executed or discarded.

        :raises InfraError: when CloudFormation refuses the template or its parameters.
        """
        if state == "REVIEW_IN_PROGRESS":
            # Left by a plan that was cut off: it holds nothing.
            self.delete()
            state = None
        creates = state is None
        with translated(f"planning stack {self.name}"):
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

        def made() -> bool:
            answer.update(self._cfn.describe_change_set(ChangeSetName=arn, StackName=self.name))
            return str(answer["Status"]).endswith(("COMPLETE", "FAILED"))

        wait_until(made, "the change set", sleep=self.sleep, every=2, limit=600)
        if answer["Status"] == "FAILED":
            reason = str(answer.get("StatusReason", "no reason given"))
            if any(words in reason for words in _NO_CHANGES):
                self.discard(ChangeSet(arn, creates, ()))
                return ChangeSet(None, creates, ())
            raise InfraError(
                f"CloudFormation refuses the plan of {self.name}: {reason}",
                "mend the setting it names in [infra] and run this again",
            )
        found = list(answer["Changes"])
        while answer.get("NextToken"):
            answer = self._cfn.describe_change_set(
                ChangeSetName=arn, StackName=self.name, NextToken=answer["NextToken"]
            )
            found += answer["Changes"]
        return ChangeSet(arn, creates, tuple(change(c["ResourceChange"]) for c in found))

    def discard(self, change_set: ChangeSet) -> None:
        """Forgets a change set, and the empty stack that CloudFormation made for it."""
        if change_set.arn is None:
            return
        with translated(f"discarding the plan of {self.name}"):
            self._cfn.delete_change_set(ChangeSetName=change_set.arn, StackName=self.name)
        if change_set.creates and self.state() == "REVIEW_IN_PROGRESS":
            self.delete()

    def execute(self, change_set: ChangeSet) -> str:
        """Carries a change set out and waits; the state at the end."""
        found = self.describe() or {}
        stack_id = found.get("StackId", self.name)
        seen = self.seen(stack_id)
        with translated(f"deploying stack {self.name}"):
            self._cfn.execute_change_set(ChangeSetName=change_set.arn, StackName=self.name)
        return self.follow(stack_id, seen=seen, after=found.get("StackStatus"))

    def delete(self) -> str:
        """Deletes the stack and waits; ``DELETE_COMPLETE`` or ``DELETE_FAILED``."""
        found = self.describe()
        if found is None:
            return "DELETE_COMPLETE"
        seen = self.seen(found["StackId"])
        with translated(f"deleting stack {self.name}"):
            self._cfn.delete_stack(StackName=found["StackId"])
        return self.follow(found["StackId"], seen=seen, after=found["StackStatus"])

    def continue_rollback(self) -> str:
        """Tries a rollback of an update that got stuck once more; the state at the end."""
        found = self.describe() or {}
        seen = self.seen(found["StackId"])
        with translated(f"rolling back stack {self.name}"):
            self._cfn.continue_update_rollback(StackName=self.name)
        return self.follow(found["StackId"], seen=seen, after="UPDATE_ROLLBACK_FAILED")

    def events(self, stack_id: str) -> list[dict[str, Any]]:
        """Events of the stack, oldest first."""
        with translated(f"reading the events of {self.name}"):
            pages = self._cfn.get_paginator("describe_stack_events").paginate(StackName=stack_id)
            found = [event for page in pages for event in page["StackEvents"]]
        return found[::-1]

    def seen(self, stack_id: str) -> set[str]:
        """Ids of the events that there are already."""
        return {event["EventId"] for event in self.events(stack_id)}

    def follow(self, stack_id: str, *, seen: set[str], after: str | None = None) -> str:
        """Tells each new event until the stack rests, and gives its state.

        :param after: the state it had before; to be left before it can rest.
        """
        state = ""

        def rests() -> bool:
            nonlocal state
            found = self.describe(stack_id)
            state = found["StackStatus"] if found else "DELETE_COMPLETE"
            fresh = [e for e in self.events(stack_id) if e["EventId"] not in seen] if found else []
            seen.update(e["EventId"] for e in fresh)
            for event in fresh:
                self.tell(progress(event))
            started = state != after or any(e["PhysicalResourceId"] == stack_id for e in fresh)
            return started and not under_way(state)

        wait_until(rests, f"stack {self.name}", sleep=self.sleep, every=5)
        return state

    def first_failure(self, stack_id: str) -> Progress | None:
        """The first resource that failed in the newest operation, not those cancelled with it."""
        events = self.events(stack_id)
        begins = [
            number
            for number, event in enumerate(events)
            if event["PhysicalResourceId"] == stack_id and event["ResourceStatus"] in _BEGINS
        ]
        for event in events[begins[-1] if begins else 0 :]:
            each = progress(event)
            cancelled = "cancelled" in each.reason.lower()
            if each.status.endswith("_FAILED") and not cancelled:
                return each
        return None


def under_way(state: str) -> bool:
    """Whether CloudFormation is at work on it."""
    return state.endswith("_IN_PROGRESS") and state != "REVIEW_IN_PROGRESS"


def progress(event: Mapping[str, Any]) -> Progress:
    """An event as one line."""
    return Progress(
        event["LogicalResourceId"],
        event.get("ResourceType", ""),
        event.get("ResourceStatus", ""),
        event.get("ResourceStatusReason") or "",
    )


def change(found: Mapping[str, Any]) -> Change:
    """A ``ResourceChange`` of a change set."""
    action = _ACTIONS.get(found["Action"], str(found["Action"]).lower())
    if action == "modify":
        action = _REPLACES.get(found.get("Replacement", "False"), action)
    names = {
        str(detail["Target"]["Name"])
        for detail in found.get("Details", [])
        if detail.get("Target", {}).get("Name")
    }
    return Change(action, found["LogicalResourceId"], found["ResourceType"], tuple(sorted(names)))
