"""Two pods whose ranks wait for each other: the first that notices says where the ranks of both are."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from support.scripts import script_config, write_script
from support.trainer import trainer
from trainer.pod import neighbours
from trainer.pod.ports import reserved_port
from trainer.pod.pulse import PulseWriter
from trainer.pod.run_folder import RunFolder
from trainingjob_api.contract import NODE_RANK_ENV, NODES_ENV, POD_IP_ENV, RENDEZVOUS_PORT_ENV
from trainingjob_api.progress import Outcome, State

UNEQUAL = """
    import os
    import torch
    import torch.distributed as dist
    from trainer.script import start

    dist.init_process_group("gloo")
    run = start(log={})
    for epoch in run.epochs(2):
        for step in range(40 if os.environ["RANK"] == "0" else 5):
            run.step()
        dist.barrier()
"""
"""Rank 0 asks in steps that rank 1 does not make."""


def test_a_hang_names_the_ranks_of_other_pods(tmp_path: Path) -> None:
    script = write_script(tmp_path, UNEQUAL)
    config = script_config(tmp_path / "c", script, deadlines={"stepSeconds": 3, "saveSeconds": 5})
    with reserved_port() as port, ExitStack() as stack:
        common = {NODES_ENV: "2", RENDEZVOUS_PORT_ENV: str(port)}
        pods = [
            stack.enter_context(
                trainer(config, tmp_path, **common, **{NODE_RANK_ENV: str(node), POD_IP_ENV: f"127.9.7.{node + 1}"})
            )
            for node in range(2)
        ]
        for pod in pods:
            pod.end()
        ends = [pod.message() for pod in pods]
    hung = [end.message for end in ends if end.outcome is Outcome.HANG]
    # Whoever notices a moment later may find the other's rank ended.
    words = ("rank 0 ", "rank 1 ", "different places")
    assert any(all(word in message for word in words) for message in hung), [end.message for end in ends]


def test_where_ranks_are_is_told(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert neighbours.tell(folder) == b"{}"
    writer = PulseWriter(folder.pulse(3))
    writer.beat(State.TRAINING, 7, within=5.0, epoch=2)
    assert neighbours.tell(folder) == b'{"3": {"state": "training", "step": 7, "epoch": 2, "hasStepped": false}}'


@pytest.mark.parametrize("address", ["127.9.7.9", "::1", "no.such.host.invalid"])
def test_a_pod_that_does_not_answer_is_left_out(address: str) -> None:
    assert neighbours.ask_all([address]) == {}
