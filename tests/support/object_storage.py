"""A real server of S3's protocol on this machine."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import s3fs

from support.waiting import wait_for
from support.web import answers
from trainer.pod.ports import reserved_port


@dataclass(frozen=True)
class ObjectStorage:
    environment: Mapping[str, str]
    """With which a program finds the server and may use it, as in a pod."""
    system: s3fs.S3FileSystem


@contextmanager
def object_storage() -> Iterator[ObjectStorage]:
    """With an empty bucket named `bucket`."""
    with reserved_port() as port:
        server = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        address = f"http://127.0.0.1:{port}"
        environment = {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        try:
            wait_for(lambda: answers(port), "the S3 server")
            region = {"region_name": "us-east-1"}
            system = s3fs.S3FileSystem(
                key="key", secret="secret", endpoint_url=address, client_kwargs=region, skip_instance_cache=True
            )
            system.call_s3("create_bucket", Bucket="bucket")
            yield ObjectStorage(environment, system)
        finally:
            server.kill()
            server.wait()
