"""Tables over the page's pure functions, where they run."""

import json
from typing import Any

import pytest

from browser.page import Page

MANIFEST = """spec:
  training:
    stages:
      - {epochs: 1, batchSize: x}
      - epochs: 2
        batchSize: y
    data: {format: synthetic, validation: {fraction: 2}}
    model:
      type: mlp   # type: no
  pod:
    volumes:
    - name: a
      configMap: {name: c}
    - name: b
    volumeMounts:
    - name: a
  nodes: 0
"""


def call(page: Page, module: str, expression: str, *values: Any) -> Any:
    """What an expression over the module `m` gives."""
    script = (
        "const [values, done] = [[...arguments].slice(0, -1), [...arguments].at(-1)];"
        f"import('./js/{module}.js').then((m) => done({expression}), (error) => done(String(error)));"
    )
    return page.browser.execute_async_script(script, *values)


@pytest.fixture(autouse=True)
def _open(page: Page) -> None:
    page.open()
    page.wait("h1")


@pytest.mark.parametrize(
    ("field", "line"),
    [
        pytest.param("spec.nodes", 17, id="a field after deeper ones"),
        pytest.param("spec.training.stages[0].batchSize", 4, id="an item in one line"),
        pytest.param("spec.training.stages[1].batchSize", 6, id="an item of several lines"),
        pytest.param("spec.training.data.validation.fraction", 7, id="within braces"),
        pytest.param("spec.training.model.type", 9, id="beside a comment"),
        pytest.param("spec.pod.volumes[1].name", 14, id="a list that is not indented"),
        pytest.param("spec.pod.volumeMounts[0].mountPath", 16, id="a missing field: what it would be in"),
        pytest.param("spec.training.loss.type", 2, id="a missing section: what it would be in"),
        pytest.param("metadata.name", 1, id="nothing of it there: the first line"),
    ],
)
def test_an_error_leads_to_its_line(page: Page, field: str, line: int) -> None:
    assert call(page, "yaml", "m.lineOf(values[0], values[1])", MANIFEST, field) == line - 1


def test_a_manifest_is_written_so_that_it_is_read_as_the_same(page: Page) -> None:
    yaml = pytest.importorskip("yaml")
    words = [
        "yes",
        "null",
        "1e3",
        "0.5",
        ".5",
        "x: y",
        "# no",
        "a\nb",
        "",
        " ",
        "~",
        "-",
        "2026-01-01",
        "名",
        "/data/x.csv",
    ]
    document = {
        "words": words,
        "numbers": [1, 0.5, 1e-12],
        "deep": [[{"a": 1, "b": [{}]}], []],
        "no": None,
        "on": True,
        "n": {},
    }
    assert yaml.safe_load(call(page, "yaml", "m.toYaml(values[0])", document)) == document


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("a,b", ["a", "b"]),
        ("a;b, c;d", ["a", "b, c", "d"]),
        ('"x, y",z', ["x, y", "z"]),
        ('"say ""hi""",z', ['say "hi"', "z"]),
        ("a\tb\t", ["a", "b", ""]),
    ],
)
def test_columns_of_a_file_are_told_as_the_server_reads_them(page: Page, line: str, names: list[str]) -> None:
    assert call(page, "parts/columns", "m.cells(values[0])", line) == names


def test_events_are_read_in_whatever_pieces_they_come(page: Page) -> None:
    text = 'retry: 2000\nid: 7\ndata: {"a": 1}\n\n: heartbeat\n\ndata: {"b":\ndata: 2}\r\n\r\n'
    expression = (
        "(() => { const parse = m.eventParser({}); return values[0].flatMap((piece) => [...parse(piece)]); })()"
    )
    for size in (1, 2, 3, 5, 7, 1000):
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        assert call(page, "stream", expression, pieces) == [{"a": 1}, {"b": 2}], f"pieces of {size}"


def test_a_long_curve_is_thinned_but_keeps_its_peaks(page: Page) -> None:
    rows = [
        {"epoch": epoch, "loss": 99.0 if epoch == 5000 else -9.0 if epoch == 7001 else 1.0}
        for epoch in range(1, 10_001)
    ]
    kept = call(page, "history", "m.thin(JSON.parse(values[0]), 'loss')", json.dumps(rows))
    assert len(kept) <= 1500
    assert {row["loss"] for row in kept} == {99.0, -9.0, 1.0}
    assert [row["epoch"] for row in kept] == sorted(row["epoch"] for row in kept)
