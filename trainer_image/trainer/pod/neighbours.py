"""Where the ranks of other pods are: each pod's first rank tells it to whoever asks, such as a supervisor that has one
of its own hanging. A convenience: without an answer nothing but a sentence is missing."""

import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.request import ProxyHandler, build_opener

from trainer.pod.pulse import Pulse, read_pulse
from trainer.pod.run_folder import RunFolder
from trainingjob_api.contract import METRICS_PORT
from trainingjob_api.progress import State

PAGE = "/ranks"
_SECONDS = 3.0  # on a node where all cores compute an answer takes long, and whoever asks has waited for minutes
_SIZE_LIMIT = 65_536  # bytes
_AT_ONCE = 16
_ask_directly = build_opener(ProxyHandler({})).open  # a pod is not behind the proxy that its variables may name


def tell(folder: RunFolder) -> bytes:
    """Where the ranks of this pod are, for `PAGE`."""
    pulses = {rank: pulse for rank in folder.ranks() if (pulse := read_pulse(folder.pulse(rank)))}
    facts = {
        str(rank): {"state": each.state, "step": each.step, "epoch": each.epoch, "hasStepped": each.has_stepped}
        for rank, each in pulses.items()
    }
    return json.dumps(facts).encode()


def ask_all(addresses: Sequence[str]) -> dict[int, Pulse]:
    """Those of all pods that answer within seconds."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return {rank: pulse for found in pool.map(_ask, addresses) for rank, pulse in found.items()}


def _ask(address: str) -> dict[int, Pulse]:
    host = f"[{address}]" if ":" in address else address
    try:
        with _ask_directly(f"http://{host}:{METRICS_PORT}{PAGE}", timeout=_SECONDS) as answer:
            facts = json.loads(answer.read(_SIZE_LIMIT))
        return {int(rank): _pulse(fields) for rank, fields in facts.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # a pod of another release has no such page
        return {}


def _pulse(fields: dict[str, object]) -> Pulse:
    step, epoch = fields["step"], fields["epoch"]
    if not isinstance(step, int) or not isinstance(epoch, int):
        raise TypeError("no numbers")
    return Pulse(0, bool(fields["hasStepped"]), State(str(fields["state"])), step, epoch, math.inf, math.inf)
