"""What goes in and out of a claim."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from local_cluster.node.provisioner import PROVISIONER
from trainingjob_cli.claims import LOCAL_PROVISIONER, ByPod, Directory, Files
from trainingjob_cli.file_pod import MOUNT, file_pod
from trainingjob_client.api import Api


@dataclass
class Pod:
    """Stands for the API server's exec: runs the command here, in a folder that stands for the claim."""

    claim: Path
    ran: list[list[str]] = field(default_factory=list)

    async def exec(
        self, namespace: str, pod: str, container: str, command: list[str], feed: AsyncIterator[bytes] | None = None
    ) -> AsyncGenerator[bytes, None]:
        self.ran.append(command)
        here = [part.replace(MOUNT, str(self.claim), 1) if part.startswith(MOUNT) else part for part in command]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*here, stdin=pipe, stdout=pipe)
        assert process.stdin is not None
        assert process.stdout is not None
        async for chunk in feed or _nothing():
            process.stdin.write(chunk)
        process.stdin.close()
        while chunk := await process.stdout.read(1000):
            yield chunk
        assert await process.wait() == 0


async def _nothing() -> AsyncGenerator[bytes, None]:
    with suppress(GeneratorExit):
        return
    yield b""


@pytest.mark.parametrize("kind", ["a directory of this machine", "a pod"])
async def test_files_come_out_as_they_went_in(kind: str, tmp_path: Path) -> None:
    claim, here, out = tmp_path / "claim", tmp_path / "here", tmp_path / "out"
    (here / "folder").mkdir(parents=True)
    claim.mkdir()
    (here / "a file.bin").write_bytes(bytes(range(256)) * 9)
    (here / "folder" / "b").write_text("b")
    files: Files = Directory(claim) if kind.startswith("a directory") else ByPod(cast("Api", Pod(claim)), "n", "p")

    await files.put([here / "a file.bin", here / "folder"], "deep/down")
    entries = await files.entries("deep/down")
    assert [(entry.name, entry.size) for entry in entries] == [("a file.bin", 2304), ("folder", 1)]
    assert await files.entries("nowhere") == []
    await files.take("deep/down", ["a file.bin", "folder"], out)
    assert (out / "a file.bin").read_bytes() == (here / "a file.bin").read_bytes()
    assert (out / "folder" / "b").read_text() == "b"


def test_the_pod_is_restricted_and_holds_no_token() -> None:
    manifest = file_pod("claim", "image", write=False)
    spec: dict[str, Any] = manifest["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    container = spec["containers"][0]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["volumeMounts"][0]["readOnly"] is True
    assert "trainingjob.dev/name" not in manifest["metadata"]["labels"], "the operator would wait for its end"
    assert file_pod("claim", "image", write=True)["spec"]["volumes"][0]["persistentVolumeClaim"]["readOnly"] is False


def test_the_embedded_clusters_volumes_are_known() -> None:
    assert LOCAL_PROVISIONER == PROVISIONER
