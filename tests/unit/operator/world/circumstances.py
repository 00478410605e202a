"""What lives are made of, and the kinds that are lived."""

from dataclasses import dataclass

from trainingjob_api.progress import Outcome
from unit.operator.world.faults import CALM, ROUGH, Weather
from unit.operator.world.kubelet import Start
from unit.operator.world.trainer import Character


@dataclass(frozen=True)
class Circumstances:
    """What may happen in a life; its seed decides what does."""

    weather: Weather = CALM
    actions: tuple[str, ...] = ()
    """What a person does, and what befalls pods and nodes."""
    most_actions: int = 0
    seconds: float = 120.0
    """Within which all that happens; then everything is calm."""
    fates: tuple[Outcome, ...] = ()
    starts: tuple[Start, ...] = (Start(),)
    characters: tuple[Character, ...] = (Character(),)


_PERSON = ("suspend", "resume", "toggle", "edit", "annotate")
_CLUSTER = ("drain", "delete pod", "out of memory", "lose node")
_ENDS = (
    Outcome.CRASH,
    Outcome.HANG,
    Outcome.NON_FINITE,
    Outcome.OUT_OF_DEVICE_MEMORY,
    Outcome.PEER_LOST,
    Outcome.USER_ERROR,
    Outcome.DATA_ERROR,
)
_CHARACTERS = (
    Character(),
    Character(seconds_per_step=0.1),
    Character(seconds_per_step=2.0, restore_seconds=20.0),
    Character(save_seconds=4.0),
    Character(cannot_save=True),
    Character(ignores_sigterm=True),
    Character(is_deaf=True),
    Character(falls_silent_after=3.0),
)
_STARTS = (
    Start(),
    Start(),
    Start(create_seconds=5.0),
    Start(unschedulable_seconds=20.0),
    Start(pull_fails_seconds=15.0),
)

KINDS: dict[str, Circumstances] = {
    "nothing disturbs it": Circumstances(),
    "a person changes their mind": Circumstances(actions=_PERSON, most_actions=8, characters=_CHARACTERS),
    "the trainer ends in every way": Circumstances(fates=_ENDS, characters=_CHARACTERS),
    "pods and nodes come and go": Circumstances(
        actions=(*_PERSON, *_CLUSTER), most_actions=6, starts=_STARTS, characters=_CHARACTERS, seconds=200
    ),
    "the API server is far away": Circumstances(weather=ROUGH, actions=_PERSON, most_actions=5),
    "everything at once": Circumstances(
        weather=ROUGH,
        actions=(*_PERSON, *_CLUSTER, "recreate", "recreate", "delete job"),
        most_actions=8,
        fates=_ENDS,
        starts=_STARTS,
        characters=_CHARACTERS,
        seconds=300,
    ),
}
