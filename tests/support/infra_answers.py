"""Answers of AWS that moto lacks, checked against botocore's own service model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError
from botocore.stub import Stubber

Hook = Callable[[str], None]


def client_error(operation: str, code: str, message: str = "because of the test") -> ClientError:
    """An error as a service returns it."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class Answers:
    """A client that answers from queues, one for each operation; the last answer stays.

    Each answer is validated by botocore's Stubber: names and types of its fields are the model's.
    """

    def __init__(self, service: str) -> None:
        self.client = boto3.client(
            service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._queues: dict[str, list[Any]] = {}
        self.client.meta.events.register("before-parameter-build", self._note)
        self.client.meta.events.register("before-call", self._answer)

    def add(self, method: str, *answers: dict[str, Any] | ClientError) -> Answers:
        """Queues answers, or errors to raise, for a method such as ``describe_stacks``."""
        for answer in answers:
            if isinstance(answer, dict):
                Stubber(self.client).add_response(method, answer)
        operation = self.client.meta.method_to_api_mapping[method]
        self._queues.setdefault(operation, []).extend(answers)
        return self

    def called(self, operation: str) -> list[dict[str, Any]]:
        """Parameters of each call of an operation such as ``DescribeStacks``."""
        return [parameters for name, parameters in self.calls if name == operation]

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.calls.append((model.name, dict(params)))

    def _answer(self, model: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        queue = self._queues.get(model.name)
        assert queue, f"no answer is queued for {model.name}"
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(answer, ClientError):
            raise answer
        from botocore.awsrequest import AWSResponse

        return AWSResponse(None, 200, {}, None), dict(answer)


def before_each_call(session: Any, hook: Hook) -> None:
    """Calls the hook with ``service:Operation`` before every request of the session's clients."""

    def ask(model: Any, **_: Any) -> None:
        hook(f"{model.service_model.service_name}:{model.name}")

    session.events.register("before-parameter-build", ask)
