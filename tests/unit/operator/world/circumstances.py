"""What lives are made of, and the kinds that are lived."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from trainingjob_api.progress import Outcome
from unit.operator.world.faults import BEHIND, CALM, ROUGH, Weather
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
    spec: Mapping[str, object] = field(default_factory=dict)
    """Of the TrainingJob, beside what is drawn."""
    has_queue: bool = False
    operators: int = 1
    """That act at the same time."""
    outages: tuple[tuple[float, float], ...] = ()
    """When the API server is away."""
    refuses_jobs_until: float = 0.0
    """An admission webhook answers 500."""
    strips_annotations: bool = False
    """An admission webhook takes them from Jobs."""
    quota: int = 100
    """Pods that may exist at the same time, as long as things go wrong."""


_UNDER_WATCH = replace(ROUGH, lost_event=0.0, slow_event=0.0)
"""Two that see different things for long would write against each other for as long."""
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

_REFUSALS = (
    Start(refused=("UnexpectedAdmissionError", "Allocate failed due to can't allocate unhealthy devices")),
    Start(refused=("OutOfcpu", "Node didn't have enough resource: cpu")),
)

_SLIPS = (*_PERSON, "delete job", "delete job", "orphan pods", "delete pod", "recreate")
_LINGERING = (Character(save_seconds=20.0), Character(ignores_sigterm=True), Character())

KINDS: dict[str, Circumstances] = {
    "nothing disturbs it": Circumstances(),
    "a person changes their mind": Circumstances(actions=_PERSON, most_actions=8, characters=_CHARACTERS),
    "the trainer ends in every way": Circumstances(fates=_ENDS, characters=_CHARACTERS),
    "pods and nodes come and go": Circumstances(
        actions=(*_PERSON, *_CLUSTER), most_actions=6, starts=_STARTS, characters=_CHARACTERS, seconds=200
    ),
    "the API server is far away": Circumstances(weather=ROUGH, actions=_PERSON, most_actions=5),
    "what the operator knows is old": Circumstances(
        weather=BEHIND, actions=_SLIPS, most_actions=8, characters=_LINGERING, fates=_ENDS, seconds=200
    ),
    "nobody watches the pods": Circumstances(
        weather=Weather(unwatched=("pods",), crash=0.05),
        actions=_SLIPS,
        most_actions=8,
        characters=_LINGERING,
        seconds=200,
    ),
    "a queue decides when it runs": Circumstances(has_queue=True, actions=_PERSON, most_actions=3, seconds=300),
    "pods are refused": Circumstances(starts=_REFUSALS),
    "a node has no room for hours": Circumstances(
        starts=(Start(), Start(unschedulable_seconds=4000)), spec={"nodes": 3, "deadlines": {"startSeconds": 60}}
    ),
    "a proxy stands beside the trainer": Circumstances(
        starts=(Start(has_proxy=True),), actions=_PERSON, most_actions=3, fates=_ENDS
    ),
    "hands slip": Circumstances(
        actions=(*_PERSON, "recreate", "delete job", "orphan pods", "suspend job"), most_actions=5
    ),
    "time runs out": Circumstances(
        spec={"deadlines": {"totalSeconds": 30, "saveSeconds": 60}}, actions=_PERSON, most_actions=3, fates=_ENDS
    ),
    "a webhook is broken": Circumstances(refuses_jobs_until=600.0, seconds=700),
    "a claim of its own": Circumstances(
        spec={"checkpoint__volume": {"claimTemplate": {"size": "1Gi", "accessModes": ["ReadWriteMany"]}}},
        actions=(*_PERSON, "recreate"),
        most_actions=5,
    ),
    "two operators act at once": Circumstances(
        operators=2, weather=_UNDER_WATCH, actions=(*_PERSON, *_CLUSTER), most_actions=5, fates=_ENDS
    ),
    "a tool prunes Jobs": Circumstances(
        actions=("prune",), most_actions=1, seconds=1000, spec={"training__epochs": 60}
    ),
    "somebody revives a paused Job": Circumstances(
        actions=("suspend", "revive job", "resume", "suspend", "revive job"),
        most_actions=8,
        quota=0,
        spec={"training__epochs": 60},
    ),
    "a webhook strips annotations": Circumstances(strips_annotations=True, actions=_PERSON, most_actions=4),
    "a quota lets some pods through": Circumstances(
        quota=2, seconds=600, spec={"nodes": 3, "deadlines": {"startSeconds": 60}}
    ),
    "it is removed in the end": Circumstances(
        actions=(*_PERSON, "delete"), most_actions=6, spec={"ttlSecondsAfterFinished": 20}, fates=_ENDS
    ),
    "the trainer tells nonsense": Circumstances(characters=(Character(epochs_told=2**63),), fates=_ENDS),
    "everything at once": Circumstances(
        weather=ROUGH,
        actions=(*_PERSON, *_CLUSTER, "evict", "recreate", "recreate", "delete job"),
        most_actions=8,
        fates=_ENDS,
        starts=_STARTS,
        characters=_CHARACTERS,
        outages=((60.0, 110.0),),
        seconds=300,
    ),
}
