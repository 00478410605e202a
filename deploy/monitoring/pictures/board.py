"""A board as it is committed: its panels in order, and their queries with a value for every variable."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DASHBOARDS = Path(__file__).parents[1] / "dashboards"


@dataclass(frozen=True)
class Panel:
    """One panel, or the heading of a row (type "row")."""

    json: Mapping[str, Any]

    @property
    def title(self) -> str:
        return str(self.json["title"])

    @property
    def type(self) -> str:
        return str(self.json["type"])

    @property
    def unit(self) -> str:
        return str(self.defaults.get("unit", ""))

    @property
    def defaults(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.json.get("fieldConfig", {}).get("defaults", {})
        return found

    def override(self, name: str) -> dict[str, Any]:
        """Properties of the field of this name."""
        overrides = self.json.get("fieldConfig", {}).get("overrides", [])
        mine = [each for each in overrides if _is_meant(each["matcher"], name)]
        return {each["id"]: each.get("value") for override in mine for each in override["properties"]}

    @property
    def queries(self) -> list[tuple[str, str, str]]:
        """Reference, PromQL, legend."""
        return [(each["refId"], each["expr"], each.get("legendFormat", "")) for each in self.json.get("targets", [])]

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Left, top, width and height; a board is 24 wide."""
        grid = self.json["gridPos"]
        return grid["x"], grid["y"], grid["w"], grid["h"]


def _is_meant(matcher: Mapping[str, str], name: str) -> bool:
    if matcher["id"] == "byRegexp":
        return re.search(matcher["options"].strip("/"), name) is not None
    return matcher["options"] == name


@dataclass(frozen=True)
class Board:
    """One of the files in dashboards/."""

    json: Mapping[str, Any]

    @property
    def uid(self) -> str:
        return str(self.json["uid"])

    @property
    def title(self) -> str:
        return str(self.json["title"])

    @property
    def panels(self) -> list[Panel]:
        return [Panel(each) for each in self.json["panels"]]

    @property
    def annotations(self) -> list[tuple[str, str, str]]:
        """Name, PromQL, colour."""
        found = self.json["annotations"].get("list", [])
        return [(each["name"], each["expr"], each["iconColor"]) for each in found if "expr" in each]


def boards() -> Iterator[Board]:
    for path in sorted(DASHBOARDS.glob("*.json")):
        yield Board(json.loads(path.read_text()))


def with_values(expr: str, values: Mapping[str, str]) -> str:
    """Every variable by its value; KeyError for one that has none."""
    return re.sub(r"\$(?:\{([a-z_]\w*)\}|([a-z_]\w*))", lambda found: values[found[1] or found[2]], expr)


def windows(scrape_seconds: float, range_seconds: float) -> dict[str, str]:
    """What Grafana puts in for $__rate_interval and $__range."""
    return {"__rate_interval": f"{4 * scrape_seconds:.0f}s", "__range": f"{range_seconds:.0f}s"}
