"""A server that answers boto3 as AWS would, with prepared answers; boto3 runs unmodified."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Call:
    """A request to AWS: the action, its parameters and the headers."""

    action: str
    parameters: dict[str, Any]
    headers: dict[str, str]


@dataclass(frozen=True)
class Refusal:
    """An error that AWS returns."""

    code: str
    message: str = "no"
    status: int = 400


@dataclass
class FakeAws:
    """Answers by action, such as ``GetSecretValue``; a function is called for each request."""

    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def actions(self) -> list[str]:
        return [call.action for call in self.calls]

    def reply(self, call: Call) -> tuple[int, Any]:
        self.calls.append(call)
        answer = self.answers.get(call.action, Refusal("AccessDenied", "nothing prepared", 403))
        if isinstance(answer, Callable):  # type: ignore[arg-type]
            answer = answer()
        if isinstance(answer, Refusal):
            return answer.status, answer
        return 200, answer


@contextmanager
def fake_aws() -> Iterator[FakeAws]:
    """A server for boto3's clients of Redshift, Redshift Serverless and Secrets Manager."""
    aws = FakeAws()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            target = self.headers.get("X-Amz-Target")
            if target:
                action, parameters = target.rpartition(".")[2], json.loads(body)
            else:
                parameters = {key: values[0] for key, values in parse_qs(body.decode()).items()}
                action = parameters.pop("Action")
            status, answer = aws.reply(Call(action, parameters, dict(self.headers)))
            data = _json(answer) if target else _xml(action, answer)
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        aws.url = f"http://127.0.0.1:{server.server_port}"
        yield aws
        server.shutdown()


def _json(answer: Any) -> bytes:
    if isinstance(answer, Refusal):
        answer = {"__type": answer.code, "message": answer.message}
    return json.dumps(answer, default=lambda value: value.timestamp()).encode()


def _xml(action: str, answer: Any) -> bytes:
    if isinstance(answer, Refusal):
        inner = f"<Code>{answer.code}</Code><Message>{escape(answer.message)}</Message>"
        return f"<ErrorResponse><Error>{inner}</Error></ErrorResponse>".encode()
    body = _element(f"{action}Result", answer)
    return f"<{action}Response>{body}</{action}Response>".encode()


def _element(name: str, value: Any) -> str:
    if isinstance(value, dict):
        inner = "".join(_element(key, each) for key, each in value.items())
    elif isinstance(value, list):
        inner = "".join(_element(name.removesuffix("s"), each) for each in value)
    else:
        inner = escape(value.isoformat() if isinstance(value, datetime) else str(value))
    return f"<{name}>{inner}</{name}>"
