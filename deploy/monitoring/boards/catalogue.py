"""All boards, and how they are written down."""

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from boards import compare, fleet, operator, training

BOARDS = (fleet.board, training.board, compare.board, operator.board)


def text(board: Dashboard) -> str:
    """JSON as it is committed; keys are sorted, so that a change shows as what it is."""
    return str(JSONEncoder(sort_keys=True, indent=1, ensure_ascii=False).encode(board)) + "\n"
