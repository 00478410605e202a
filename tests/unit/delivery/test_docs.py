"""Links between the pages lead somewhere, and every page is in the index."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)[^)]*\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = [target for target in _LINK.findall(page.read_text()) if not (page.parent / target).exists()]
    assert targets == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    linked = {(index.parent / target).resolve() for target in _LINK.findall(index.read_text())}
    missing = [page.name for page in ROOT.glob("docs/*.md") if page != index and page.resolve() not in linked]
    assert missing == [], "add it to docs/README.md"
