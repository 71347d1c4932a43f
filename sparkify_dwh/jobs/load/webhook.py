"""One JSON message to a URL when a load fails or is refused.

It holds no rows and no secrets, takes a bounded time, and never changes how the load ends.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from ...core.settings import Settings

log = logging.getLogger("sparkify_dwh.load")
#: Seconds for one attempt, and for all of them.
TIMEOUT, DEADLINE = 5.0, 12.0
ATTEMPTS = 3
_PAUSE = 0.5


def send(settings: Settings, message: Mapping[str, Any]) -> bool:
    """Sends a message to ``webhook_url``; whether it was accepted. Never raises.

    Answers of 429 and 5xx, and connections that break, are tried again; redirects are not
    followed.
    """
    if settings.webhook_url is None:
        return False
    url = settings.webhook_url.get_secret_value()
    body = json.dumps(message, default=str).encode()
    ends: list[str | None] = []
    # A thread, since no timeout bounds a DNS look-up or a server that answers byte by byte.
    worker = threading.Thread(target=_attempts, args=(url, body, ends), daemon=True)
    worker.start()
    worker.join(DEADLINE)
    why = ends[0] if ends else f"no answer in {DEADLINE:g} s"
    if why is not None:
        log.warning("the webhook did not accept the message: %s", why)
    return why is None


def _attempts(url: str, body: bytes, ends: list[str | None]) -> None:
    why: str | None = "not tried"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            why, again = _post(url, body)
        except Exception as error:
            # Its text may contain the URL, and with it a secret.
            cause = getattr(error, "reason", error)
            why, again = type(cause).__name__, True
        if why is None or not again or attempt == ATTEMPTS:
            break
        time.sleep(_PAUSE * attempt)
    ends.append(why)


def _post(url: str, body: bytes) -> tuple[str | None, bool]:
    """Why it was not accepted, or None; and whether to try again."""
    import urllib.error
    import urllib.request

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: Any, **kw: Any) -> None:
            return None

    parts = urlsplit(url)
    headers = {"Content-Type": "application/json", "User-Agent": "sparkify-dwh"}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    request = urllib.request.Request(url, body, headers, method="POST")
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=TIMEOUT):
            return None, False
    except urllib.error.HTTPError as error:
        error.close()
        return f"HTTP {error.code}", error.code == 429 or error.code >= 500
