"""How the weights move: loss, optimizer, schedule, stages, regularisation."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from trainingjob_api.base import ABOVE_ZERO, Model, NumberOr, given, rule, rules
from trainingjob_api.spec.training.choice import Belonging, Choice, belonging

Rate = Annotated[float, Field(ge=1e-12, le=100, json_schema_extra=ABOVE_ZERO)]
Factor = Annotated[float, Field(ge=0.000001, le=1, json_schema_extra=ABOVE_ZERO)]
Momentum = Annotated[float, Field(ge=0, le=0.9999)]
Epochs = Annotated[int, Field(ge=1, le=1_000_000)]


_BATCH, _WARMUP = NumberOr("all", 1_000_000), NumberOr("auto", 100_000)
BatchSize = Annotated[int | Literal["all"], Field(json_schema_extra=_BATCH.schema), BeforeValidator(_BATCH.check)]
WarmupEpochs = Annotated[int | Literal["auto"], Field(json_schema_extra=_WARMUP.schema), BeforeValidator(_WARMUP.check)]

CLASSIFICATION_LOSSES = ("crossEntropy", "multiMargin", "focal")
_LOSS_FIELDS: Belonging = {
    "labelSmoothing": ("crossEntropy",),
    "margin": ("multiMargin",),
    "gamma": ("focal",),
    "alpha": ("focal",),
    "alphas": ("focal",),
    "delta": ("huber",),
}


class Loss(Choice):
    """What is minimised."""

    belongs: ClassVar[Belonging] = _LOSS_FIELDS
    model_config = ConfigDict(
        json_schema_extra=rules(
            *belonging(_LOSS_FIELDS),
            rule("!has(self.alpha) || !has(self.alphas)", "give one of alpha and alphas", ".alphas"),
        )
    )

    type: Literal["crossEntropy", "multiMargin", "focal", "mse", "mae", "huber"]
    label_smoothing: Annotated[float, Field(ge=0, le=0.9)] | None = Field(default=None, description="Default: 0.")
    margin: Annotated[float, Field(ge=0, le=1000)] | None = Field(default=None, description="Default: 1.")
    gamma: Annotated[float, Field(ge=0, le=100)] | None = Field(
        default=None, description="How much less the easy rows count. Default: 2."
    )
    alpha: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        description="Of two classes: weight of the second; the first gets 1 - alpha. Default: all rows count 1.",
    )
    alphas: Annotated[list[Annotated[float, Field(ge=0, le=1000)]], Field(min_length=2, max_length=10_000)] | None = (
        Field(default=None, description="Weight of each class, in the order of the sorted classes.")
    )
    delta: Annotated[float, Field(ge=0.000001, le=1e9, json_schema_extra=ABOVE_ZERO)] | None = Field(
        default=None, description="Where the square becomes a line, in standard deviations of the target. Default: 1."
    )

    @model_validator(mode="after")
    def _one_kind_of_weight(self) -> "Loss":
        if self.alpha is not None and self.alphas is not None:
            raise ValueError("alphas: give one of alpha and alphas")
        return self


_OPTIMIZER_FIELDS: Belonging = {"momentum": ("sgd", "rmsprop"), "nesterov": ("sgd",)}


class Optimizer(Choice):
    """How a gradient moves the weights."""

    belongs: ClassVar[Belonging] = _OPTIMIZER_FIELDS
    model_config = ConfigDict(
        json_schema_extra=rules(
            *belonging(_OPTIMIZER_FIELDS, default="adamw"),
            rule(
                "!has(self.nesterov) || !self.nesterov || (has(self.momentum) && self.momentum > 0.0)",
                "nesterov needs a momentum above 0",
                ".nesterov",
            ),
        )
    )

    type: Literal["adam", "adamw", "sgd", "adagrad", "rmsprop"] = "adamw"
    learning_rate: Rate = 0.001
    weight_decay: Annotated[float, Field(ge=0, le=10)] | None = Field(
        default=None, description="Default: 0.01 for adamw, which takes it from the weights themselves, else 0."
    )
    momentum: Momentum | None = Field(default=None, description="Default: 0.")
    nesterov: bool | None = Field(default=None, description="Default: false.")

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "Optimizer":
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class Warmup(Model):
    """The learning rate rises linearly, step by step, from startFactor times what the schedule begins with."""

    epochs: WarmupEpochs = Field(description="auto: a tenth of the epochs, 20 at most.")
    start_factor: Factor = Field(default=0.1)


_SCHEDULE_FIELDS: Belonging = {
    "minimum": ("cosine", "plateau", "cyclic"),
    "maximum": ("cyclic", "oneCycle"),
    "stepSize": ("step",),
    "gamma": ("step", "exponential", "cyclic"),
    "tMax": ("cosine",),
    "endFactor": ("linear",),
    "totalEpochs": ("linear",),
    "factor": ("plateau",),
    "patience": ("plateau",),
    "stepsUp": ("cyclic",),
    "mode": ("cyclic",),
    "riseFraction": ("oneCycle",),
    "startDivisor": ("oneCycle",),
    "endDivisor": ("oneCycle",),
    "cycleMomentum": ("cyclic", "oneCycle"),
    "minimumMomentum": ("cyclic", "oneCycle"),
    "maximumMomentum": ("cyclic", "oneCycle"),
}


MOMENTA = {"cyclic": (0.8, 0.9), "oneCycle": (0.85, 0.95)}
"""The least and the most, if nothing is said: PyTorch's."""


def _momentum(field: str, place: int) -> str:
    """CEL: the one that is meant."""
    cyclic, one_cycle = (MOMENTA[type_][place] for type_ in ("cyclic", "oneCycle"))
    return f"has(self.{field}) ? self.{field} : (self.type == 'cyclic' ? {cyclic} : {one_cycle})"


_LEAST_MOMENTUM, _MOST_MOMENTUM = _momentum("minimumMomentum", 0), _momentum("maximumMomentum", 1)


class Schedule(Choice):
    """How the learning rate changes. Epochs and steps count from the end of the warm-up."""

    belongs: ClassVar[Belonging] = _SCHEDULE_FIELDS
    model_config = ConfigDict(
        json_schema_extra=rules(
            *belonging(_SCHEDULE_FIELDS),
            rule(
                "self.type != 'cyclic' || (has(self.minimum) && has(self.maximum) && has(self.stepsUp))",
                "type cyclic needs minimum, maximum and stepsUp",
            ),
            rule(
                "self.type != 'cyclic' || !has(self.minimum) || !has(self.maximum) || self.minimum <= self.maximum",
                "minimum must not exceed maximum",
                ".minimum",
            ),
            rule("self.type != 'step' || has(self.stepSize)", "type step needs stepSize", ".stepSize"),
            rule(
                "(!has(self.minimumMomentum) && !has(self.maximumMomentum))"
                " || !has(self.cycleMomentum) || self.cycleMomentum",
                "with cycleMomentum: false the momentum stays as it is",
                ".cycleMomentum",
            ),
            rule(
                f"({_LEAST_MOMENTUM}) <= ({_MOST_MOMENTUM})",
                "minimumMomentum must not exceed maximumMomentum",
                ".minimumMomentum",
            ),
        )
    )

    type: Literal["constant", "step", "exponential", "cosine", "linear", "cyclic", "oneCycle", "plateau"] = Field(
        description="After every epoch: step (times gamma every stepSize epochs), exponential (times gamma), "
        "plateau (times factor when the watched metric has not improved for patience epochs). After every step: "
        "cosine (half a wave down to minimum within tMax epochs), linear (to endFactor within totalEpochs), "
        "cyclic (between minimum and maximum), oneCycle (up to maximum, then down to the end)."
    )
    minimum: Annotated[float, Field(ge=0, le=100)] | None = Field(default=None, description="Default: 0.")
    maximum: Rate | None = Field(default=None, description="Of oneCycle: the peak. Default: optimizer.learningRate.")
    step_size: Epochs | None = Field(default=None, description="Epochs between two reductions.")
    gamma: Factor | None = Field(
        default=None, description="Default: 0.1 for step, 0.95 for exponential; of cyclic's mode expRange: for a step."
    )
    t_max: Epochs | None = Field(default=None, description="Default: the epochs that remain after the warm-up.")
    end_factor: Annotated[float, Field(ge=0, le=1)] | None = Field(default=None, description="Default: 0.")
    total_epochs: Epochs | None = Field(default=None, description="Default: as many as remain after the warm-up.")
    factor: Annotated[float, Field(ge=0.000001, le=0.999999, json_schema_extra=ABOVE_ZERO)] | None = Field(
        default=None, description="Default: 0.5."
    )
    patience: Annotated[int, Field(ge=0, le=100_000)] | None = Field(default=None, description="Default: 10.")
    steps_up: Annotated[int, Field(ge=1, le=100_000_000)] | None = Field(
        default=None, description="Steps from minimum to maximum; as many lead back."
    )
    mode: Literal["triangular", "triangular2", "expRange"] | None = Field(
        default=None,
        description="triangular2 halves the swing every cycle, expRange shrinks it by gamma every step. "
        "Default: triangular.",
    )
    rise_fraction: Annotated[float, Field(ge=0.001, le=0.999, json_schema_extra=ABOVE_ZERO)] | None = Field(
        default=None, description="Share of all steps in which the rate rises. Default: 0.3."
    )
    start_divisor: Annotated[float, Field(ge=1, le=1e9)] | None = Field(
        default=None, description="The first rate is maximum divided by it. Default: 25."
    )
    end_divisor: Annotated[float, Field(ge=1, le=1e9)] | None = Field(
        default=None, description="The last rate is the first divided by it. Default: 10000."
    )
    cycle_momentum: bool | None = Field(
        default=None,
        description="cyclic and oneCycle: the momentum (of adam and adamw: beta1) goes the other way than the rate, "
        "whatever optimizer.momentum says. adagrad has none. Default: true.",
    )
    minimum_momentum: Momentum | None = Field(
        default=None, description="Where the rate is highest. Default: 0.8 for cyclic, 0.85 for oneCycle."
    )
    maximum_momentum: Momentum | None = Field(
        default=None, description="Where the rate is lowest. Default: 0.9 for cyclic, 0.95 for oneCycle."
    )
    warmup: Warmup | None = Field(default=None, description="In front of any schedule. Default: none.")

    @model_validator(mode="after")
    def _fields_agree(self) -> "Schedule":
        """The same as the CEL rules."""
        if self.type == "cyclic" and None in (self.minimum, self.maximum, self.steps_up):
            raise ValueError("type cyclic needs minimum, maximum and stepsUp")
        if self.type == "cyclic" and (self.minimum or 0) > (self.maximum or 0):
            raise ValueError("minimum must not exceed maximum")
        if self.type == "step" and self.step_size is None:
            raise ValueError("type step needs stepSize")
        return self

    @model_validator(mode="after")
    def _momenta_agree(self) -> "Schedule":
        """The same as the CEL rules."""
        if self.cycle_momentum is False and (self.minimum_momentum, self.maximum_momentum) != (None, None):
            raise ValueError("cycleMomentum: with false the momentum stays as it is")
        if self.momenta is not None and self.momenta[0] > self.momenta[1]:
            raise ValueError("minimumMomentum must not exceed maximumMomentum")
        return self

    @property
    def momenta(self) -> tuple[float, float] | None:
        """Between which the momentum goes to and fro; None: it stays as it is."""
        if self.type not in MOMENTA or self.cycle_momentum is False:
            return None
        least, most = MOMENTA[self.type]
        return given(self.minimum_momentum, least), given(self.maximum_momentum, most)


class Stage(Model):
    """One part of a progressive training."""

    epochs: Epochs
    batch_size: int = Field(ge=1, le=1_000_000, description="Samples per batch over all ranks together.")
    learning_rate_factor: Annotated[float, Field(ge=0.000001, le=1000, json_schema_extra=ABOVE_ZERO)] = Field(
        default=1.0, description="Every rate of the schedule is multiplied by it."
    )


class Regularization(Model):
    """Penalties on the weights of layers, not on biases and norms. Reported losses do not contain them."""

    l1: float = Field(default=0.0, ge=0, le=1000, description="Times the sum of absolute values.")
    l2: float = Field(default=0.0, ge=0, le=1000, description="Times the sum of squares.")


class Gradient(Model):
    """What happens to gradients before the optimizer sees them."""

    clip_norm: Annotated[float, Field(ge=0.000001, le=1e9, json_schema_extra=ABOVE_ZERO)] | None = Field(
        default=None, description="A gradient whose norm is larger is scaled down to it. Default: none is."
    )
    accumulate: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=1, description="Batches whose gradients make one optimizer step."
    )


class Budget(Model):
    """Epochs adapted to the data: as many whole ones as it takes to reach so many steps or samples."""

    model_config = ConfigDict(
        json_schema_extra=rules(rule("has(self.steps) != has(self.samples)", "give exactly one of steps and samples"))
    )

    steps: Annotated[int, Field(ge=1, le=10**12)] | None = None
    samples: Annotated[int, Field(ge=1, le=10**15)] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "Budget":
        if (self.steps is None) == (self.samples is None):
            raise ValueError("give exactly one of steps and samples")
        return self
