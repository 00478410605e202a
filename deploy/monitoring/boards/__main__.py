"""boards/*.py -> dashboards/*.json."""

from pathlib import Path

from boards.catalogue import BOARDS, text

DASHBOARDS = Path(__file__).parents[1] / "dashboards"

if __name__ == "__main__":
    for board in BOARDS:
        (DASHBOARDS / f"{board().uid}.json").write_text(text(board()))
