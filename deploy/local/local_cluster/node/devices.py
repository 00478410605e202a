"""GPUs: how many this machine has, and which of them each container was given."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

GPU = "nvidia.com/gpu"


def count_gpus() -> int:
    """GPUs that nvidia-smi lists, else the device files that the driver made."""
    if program := shutil.which("nvidia-smi"):
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, check=False).stdout
        return sum(1 for line in listed.splitlines() if line.startswith("GPU "))
    return sum(1 for path in Path("/dev").glob("nvidia[0-9]*") if path.name[6:].isdecimal())


_VARIABLE = "CUDA_VISIBLE_DEVICES"


class Gpus:
    """Hands out the real GPUs. A simulated number of them is only counted, by the scheduler: nothing to hand out."""

    def __init__(self, real: int) -> None:
        self._real = real
        self._owner: dict[int, str] = {}

    def environment(self, owner: str, wanted: int) -> dict[str, str]:
        """What makes CUDA see the GPUs of one container (its pod's UID/its name) and no others."""
        if not self._real:
            return {}
        mine = [index for index, holder in self._owner.items() if holder == owner]
        free = [index for index in range(self._real) if index not in self._owner]
        mine = sorted(mine + free[: max(0, wanted - len(mine))])
        self._owner |= dict.fromkeys(mine, owner)
        return {_VARIABLE: ",".join(map(str, mine))}

    def restore(self, owner: str, environment: Mapping[str, str]) -> None:
        """Remember what a container was given before this program was started."""
        if self._real:
            self._owner |= {int(index): owner for index in environment.get(_VARIABLE, "").split(",") if index}

    def release(self, uid: str) -> None:
        """Take back what the containers of a pod have."""
        self._owner = {index: holder for index, holder in self._owner.items() if not holder.startswith(f"{uid}/")}
