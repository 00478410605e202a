"""Recurrent layers over sequences."""

import torch
from torch import Tensor, nn

from trainer.errors import UserError
from trainer.models.shapes import Shapes
from trainingjob_api.spec.training import NetworkModel

_LAYERS: dict[str, type[nn.LSTM | nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class Recurrent(nn.Module):
    """One layer after the other over the whole sequence, each followed by dropout; then one linear layer."""

    def __init__(self, spec: NetworkModel, shapes: Shapes) -> None:
        super().__init__()
        if len(shapes.inputs) != 2:
            raise UserError(
                f"training.model.type: {spec.type} needs sequences; a row of the data has the shape "
                f"{list(shapes.inputs)}. Give training.data.sequence, or training.data.shape [length, features]"
            )
        self.directions = 2 if spec.bidirectional else 1
        self.readout = spec.readout or "last"
        self.unflatten = nn.Unflatten(1, shapes.inputs)
        self.layers = nn.ModuleList()
        width = shapes.inputs[1]
        for units in spec.hidden_units:
            self.layers.append(_LAYERS[spec.type](width, units, batch_first=True, bidirectional=self.directions == 2))
            width = units * self.directions
        self.dropout = nn.Dropout(spec.dropout) if spec.dropout else nn.Identity()
        self.linear = nn.Linear(width, shapes.outputs)

    def forward(self, rows: Tensor) -> Tensor:
        sequences = self.unflatten(rows)
        for layer in self.layers:
            sequences = self.dropout(layer(sequences)[0])
        outputs: Tensor = self.linear(self._read(sequences))
        return outputs

    def _read(self, sequences: Tensor) -> Tensor:
        """(rows, length, width) -> (rows, width)."""
        if self.readout == "mean":
            return sequences.mean(dim=1)
        if self.readout == "max":
            return sequences.amax(dim=1)
        forwards, *backwards = sequences.chunk(self.directions, dim=2)
        # What reads backwards is at its end where the sequence begins.
        return torch.cat([forwards[:, -1], *(part[:, 0] for part in backwards)], dim=1)
