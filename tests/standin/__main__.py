"""`python -m standin`: runs a stand-in and an S3 server until Ctrl-C."""

from __future__ import annotations

import logging
import sys
import threading

import boto3
from moto.server import ThreadedMotoServer

from .server import Standin


def main() -> None:
    """Start both, print how to reach them, and wait."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    client = boto3.client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1", **keys
    )
    with Standin(client) as server:
        database = server.database(name="dev")
        sys.stdout.write(
            f"export SSL_CERT_FILE={server.ca_file}\n"
            f"export AWS_ENDPOINT_URL=http://{host}:{port} AWS_DEFAULT_REGION=us-east-1\n"
            "export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing\n"
            f"# {database.url()}\n"
        )
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stdout.write("\n")
        finally:
            moto.stop()


if __name__ == "__main__":
    main()
