"""What docs/data.md shows is what the models accept."""

import re
from pathlib import Path

import pytest
import yaml

from trainingjob_api.spec.pod import Pod
from trainingjob_api.spec.training import Data

PAGE = (Path(__file__).parents[3] / "docs/data.md").read_text()
EXAMPLES = re.findall(r"^## (.*?)\n|```yaml\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)


def examples() -> list[object]:
    title, found = "", []
    for heading, example in EXAMPLES:
        title = heading or title
        if example:
            found.append(pytest.param(example, id=title))
    return found


@pytest.mark.parametrize("example", examples())
def test_an_example_is_valid(example: str) -> None:
    (field,) = yaml.safe_load(example)
    {"data": Data, "pod": Pod}[field].model_validate(yaml.safe_load(example)[field])


def test_every_format_has_one() -> None:
    shown = {yaml.safe_load(example).get("data", {}).get("format", "csv") for _, example in EXAMPLES if example}
    assert shown == {"csv", "parquet", "npz", "idx", "imageFolder", "synthetic"}
