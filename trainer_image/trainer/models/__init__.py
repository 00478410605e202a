"""The networks that a recipe can name."""

from torch import Tensor, nn

from trainer.models.cnn import cnn
from trainer.models.custom import custom
from trainer.models.effort import Effort, effort_of
from trainer.models.layers import buffers_kept
from trainer.models.mlp import mlp
from trainer.models.recurrent import Recurrent
from trainer.models.shapes import Shapes
from trainingjob_api.spec.training import NetworkModel

__all__ = ["Effort", "Shapes", "buffers_kept", "build_model", "effort_of"]


def build_model(spec: NetworkModel, shapes: Shapes, rows: Tensor | None = None) -> nn.Module:
    """The network for these shapes; weights come from torch's current seed. UserError if there can be none.

    rows: two of the data (2, features) for which a network of the user's must work; None: it has been tried before.
    """
    match spec.type:
        case "mlp":
            return mlp(spec, shapes)
        case "cnn":
            return cnn(spec, shapes)
        case "lstm" | "gru":
            return Recurrent(spec, shapes)
        case "custom":
            return custom(spec, shapes, rows)
