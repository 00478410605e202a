"""Every right that the manifests give, in a file that a change of one has to change, too."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[3] / "deploy"
MANIFESTS = DEPLOY / "install.yaml", DEPLOY / "gateway/cluster-role.yaml"
GOLDEN = Path(__file__).with_name("rights.txt")

Object = dict[str, Any]


def roles() -> list[Object]:
    objects = [each for path in MANIFESTS for each in yaml.load_all(path.read_text(), yaml.CSafeLoader)]
    return [each for each in objects if each["kind"] in ("Role", "ClusterRole")]


def rights(role: Object) -> Iterator[str]:
    """A line for each resource (or path), named once."""
    for rule in role.get("rules", ()):
        names = f" named {', '.join(rule['resourceNames'])}" if "resourceNames" in rule else ""
        places = [
            f"{resource}.{group}".rstrip(".") for group in rule.get("apiGroups", ()) for resource in rule["resources"]
        ]
        for place in [*places, *rule.get("nonResourceURLs", ())]:
            yield f"  {place}{names}: {' '.join(rule['verbs'])}"


def test_rights_are_as_they_were() -> None:
    found = "\n".join(
        line
        for role in sorted(roles(), key=lambda role: str(role["metadata"]["name"]))
        for line in (f"{role['kind']} {role['metadata']['name']}", *sorted(rights(role)))
    )
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(f"{found}\n")
    assert f"{found}\n" == GOLDEN.read_text()


def test_there_is_no_wildcard_and_nothing_that_becomes_more() -> None:
    for role in roles():
        for rule in role.get("rules", ()):
            words = [*rule["verbs"], *rule.get("resources", ()), *rule.get("apiGroups", ())]
            assert not {"*", "escalate", "bind", "impersonate", "secrets", "pods/exec"} & set(words), role["metadata"]
