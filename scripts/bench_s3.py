"""S3 for the bench: a moto server in its own process, and the baseline that reads from it.

usage: bench_s3.py serve FOLDER [MILLISECONDS]   serves a folder's files as s3://bench/
       bench_s3.py read ENDPOINT                 reads its objects one by one with boto3
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BUCKET = "bench"
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_DEFAULT_REGION": "us-east-1",
}


def serve(folder: str, delay: float) -> None:
    """Serves until killed; prints its endpoint once the objects are there.

    :param delay: seconds by which each answer is delayed, to simulate distance.
    """
    from moto import s3 as _  # noqa: F401
    from moto.core.base_backend import BackendDict
    from moto.s3.models import s3_backends
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = DomainDispatcherApplication(create_backend_app)
    backends: BackendDict[Any] = s3_backends
    backend = backends["123456789012"]["aws"]
    backend.create_bucket(BUCKET, "us-east-1")
    root = Path(folder)
    for path in sorted(root.rglob("*.json*")):
        backend.put_object(BUCKET, path.relative_to(root).as_posix(), path.read_bytes())

    def answer(environ: Any, start: Any) -> Iterable[bytes]:
        time.sleep(delay)
        body: Iterable[bytes] = app(environ, start)
        return body

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    sys.stdout.write(f"http://127.0.0.1:{server.port}\n")
    sys.stdout.flush()
    server.serve_forever()


def read(endpoint: str) -> None:
    """Reads every object in turn."""
    import boto3

    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **KEYS)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    size = 0
    for page in pages:
        for item in page.get("Contents", ()):
            size += len(client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read())
    sys.stdout.write(f"{size}\n")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], float(sys.argv[3]) / 1000 if len(sys.argv) > 3 else 0.0)
    else:
        read(sys.argv[2])
