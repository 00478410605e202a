"""`training.model`: the network."""

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from trainingjob_api.base import rule, rules
from trainingjob_api.spec.training.choice import Belonging, Choice, belonging

Width = Annotated[int, Field(ge=1, le=65536)]

_BELONGS: Belonging = {
    "activation": ("mlp", "cnn", "custom"),
    "batchNorm": ("mlp", "cnn"),
    "channels": ("cnn",),
    "kernelSizes": ("cnn",),
    "pooling": ("cnn",),
    "bidirectional": ("lstm", "gru"),
    "readout": ("lstm", "gru"),
    "entrypoint": ("custom",),
}


class NetworkModel(Choice):
    """The network."""

    belongs: ClassVar[Belonging] = _BELONGS
    model_config = ConfigDict(
        json_schema_extra=rules(
            *belonging(_BELONGS),
            rule("self.type != 'custom' || has(self.entrypoint)", "type custom needs an entrypoint", ".entrypoint"),
            rule(
                "!has(self.kernelSizes) || self.kernelSizes.size() == 1"
                " || self.kernelSizes.size() == (has(self.channels) ? self.channels.size() : 2)",
                "give one kernel size, or one for each of channels",
                ".kernelSizes",
            ),
        )
    )

    type: Literal["mlp", "cnn", "lstm", "gru", "custom"] = Field(
        description="mlp: fully connected layers. cnn: convolutions over images (data.shape), then such layers. "
        "lstm, gru: recurrent layers over windows (data.sequence or data.shape). custom: a function of yours."
    )
    hidden_units: list[Width] = Field(
        default=[64, 32],
        min_length=1,
        max_length=64,
        description="Width of each hidden layer; of lstm and gru: of each recurrent layer.",
    )
    dropout: float = Field(
        default=0.0, ge=0, le=0.95, description="Share of the values that are left out after every hidden layer."
    )
    activation: Literal["relu", "leakyRelu", "elu", "gelu", "silu", "tanh", "sigmoid", "selu"] | None = Field(
        default=None, description="After every convolution and hidden layer. Default: relu."
    )
    batch_norm: bool | None = Field(
        default=None, description="Before every activation; every rank normalises its own share. Default: false."
    )
    channels: list[Width] | None = Field(
        default=None, min_length=1, max_length=64, description="Of each convolution. Default: [32, 64]."
    )
    kernel_sizes: list[Annotated[int, Field(ge=1, le=31)]] | None = Field(
        default=None, min_length=1, max_length=64, description="One for each of channels, or one for all. Default: [3]."
    )
    pooling: Literal["max", "average", "none"] | None = Field(
        default=None, description="After each convolution: halves height and width. Default: max."
    )
    bidirectional: bool | None = Field(
        default=None, description="Reads each window in both directions. Default: false."
    )
    readout: Literal["last", "mean", "max"] | None = Field(
        default=None, description="What of the outputs over time is used. Default: last."
    )
    entrypoint: Annotated[str, Field(max_length=256, pattern=r"^[\w.]+:\w+$")] | None = Field(
        default=None,
        description="package.module:function, called with this model section and a trainer.models.Shapes; "
        "returns a torch.nn.Module from flat rows (rows, features) to (rows, outputs). PYTHONPATH must lead to it.",
    )

    @model_validator(mode="after")
    def _fields_agree(self) -> "NetworkModel":
        """The same as the CEL rules."""
        if self.type == "custom" and self.entrypoint is None:
            raise ValueError("type custom needs an entrypoint")
        if self.kernel_sizes and len(self.kernel_sizes) not in (1, len(self.channels or [32, 64])):
            raise ValueError("kernelSizes: give one kernel size, or one for each of channels")
        return self
