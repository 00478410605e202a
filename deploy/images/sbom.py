"""`sbom.py IMAGE LOCK [--dpkg STATUS]`: what is in an image as CycloneDX 1.6, by the lock file and Debian's records.

IMAGE is a name with its tag, LOCK one of requirements/*.txt, STATUS the image's /var/lib/dpkg/status. The same input
gives the same output: there is no time and no random number in it.
"""

import argparse
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.markers import Marker

Component = dict[str, Any]

_ENVIRONMENT = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.0",
    "python_version": "3.11",
    "sys_platform": "linux",
}
_ENTRY = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\\n]+))?(?P<rest>[^\n]*\n(?:[ \t].*\n?)*)", re.M
)


def python_packages(lock: str, machine: str) -> Iterator[Component]:
    """Of a universal lock what is installed on Linux and a machine such as x86_64, each with the hashes it may have."""
    for entry in _ENTRY.finditer(lock):
        marker = (entry["marker"] or "").strip()
        if marker and not Marker(marker).evaluate({**_ENVIRONMENT, "platform_machine": machine}):
            continue
        name, version = re.sub(r"[-_.]+", "-", entry["name"]).lower(), entry["version"]
        hashes = sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry["rest"]))
        yield {
            **_library(f"pkg:pypi/{name}@{quote(version)}", name, version),
            "properties": [{"name": "lock:sha256", "value": value} for value in hashes],
        }


def debian_packages(status: str) -> Iterator[Component]:
    """Of dpkg's status file those that are installed."""
    for paragraph in status.strip().split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
            where = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}"
            yield _library(where, name, version)


def _library(purl: str, name: str, version: str) -> Component:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def document(image: str, components: list[Component]) -> dict[str, Any]:
    """The whole document, about an image by its name and tag."""
    name, _, version = image.rpartition(":")
    about = {"type": "container", "bom-ref": image, "name": name, "version": version}
    parts = sorted(components, key=lambda each: str(each["purl"]))
    content = json.dumps([about, parts], sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {"component": about},
        "components": parts,
        "dependencies": [{"ref": image, "dependsOn": [each["bom-ref"] for each in parts]}],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image")
    parser.add_argument("lock", type=Path)
    parser.add_argument("--dpkg", type=Path, help="the image's /var/lib/dpkg/status")
    parser.add_argument("--machine", default="x86_64", help="x86_64 or aarch64")
    given = parser.parse_args()
    components = list(python_packages(given.lock.read_text(), given.machine))
    if given.dpkg:
        components += debian_packages(given.dpkg.read_text())
    print(json.dumps(document(given.image, components), indent=1))


if __name__ == "__main__":
    main()
