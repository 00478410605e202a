"""What is said of ranks that are not heard of in time: which one, since when, and whether they wait for each other."""

from collections import defaultdict
from collections.abc import Mapping

from trainer.pod.pulse import Pulse
from trainingjob_api.progress import State

_AT_A_DISK = {State.RESTORING, State.SAVING, State.STOPPING}
_AS_MANY = "all ranks must make the same number of steps in every epoch"


def describe_hang(rank: int, pulses: Mapping[int, Pulse], world_size: int, is_stuck: bool) -> str:
    """The message about the rank that was late first.

    pulses: of ranks that still run, those of other pods as far as they are known
    is_stuck: the rank's process is stopped, or waits for a disk.
    """
    pulse = pulses[rank]
    if not pulse.has_stepped:
        hint = "; a peer may be missing" if world_size > 1 and pulse.state is State.STARTING else ""
        return f"rank {rank} did not reach its first step within {pulse.within:g} s ({pulse.state}){hint}"
    late = f"rank {rank}: no step within {pulse.within:g} s after step {pulse.step} ({pulse.state})"
    if len({(each.state, each.step) for each in pulses.values()}) > 1:
        where = f"{late}; the ranks are at different places: {_places(pulses)}"
        waits_for_a_disk = is_stuck or any(each.state in _AT_A_DISK for each in pulses.values())
        return where if waits_for_a_disk else f"{where}; {_AS_MANY}"
    if world_size > len(pulses) and not is_stuck:
        return f"{late}; ranks of other pods may be at another place: {_AS_MANY}"
    return late


def _places(pulses: Mapping[int, Pulse]) -> str:
    """Ranks at the same place are named together."""
    ranks = defaultdict(list)
    for rank in sorted(pulses):
        ranks[_place(pulses[rank])].append(rank)
    return ", ".join(f"{_names(group)} {place}" for place, group in ranks.items())


def _place(pulse: Pulse) -> str:
    if pulse.state is State.TRAINING:
        return f"in step {pulse.step + 1} (epoch {pulse.epoch + 1})"
    if pulse.state is State.EVALUATING:
        return f"evaluating after step {pulse.step} (epoch {pulse.epoch + 1})"
    return f"{pulse.state} after step {pulse.step}"


def _names(ranks: list[int]) -> str:
    return f"rank {ranks[0]}" if len(ranks) == 1 else f"ranks {', '.join(map(str, ranks))}"
