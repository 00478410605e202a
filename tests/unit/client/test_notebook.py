"""The notebook of the docs is the one that its program makes, and it was run without an error."""

import runpy
from pathlib import Path
from typing import Any

import nbformat

DOCS = Path(__file__).parents[3] / "docs"
MADE: dict[str, Any] = runpy.run_path(str(DOCS / "client_notebook.py"))


def test_the_notebook_is_up_to_date_and_was_run() -> None:
    kept = nbformat.read(DOCS / "client.ipynb", as_version=4)
    assert [cell.source for cell in kept.cells] == [cell.source for cell in MADE["notebook"]().cells]
    code = [cell for cell in kept.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert any("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
