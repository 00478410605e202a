"""DistributedDataParallel as its tutorial has it: started by torchrun, one DataLoader for each rank."""

import torch
import torch.distributed as dist
from tests.bench.trainer.harness import Measured
from tests.bench.trainer.loops import InOrder
from tests.bench.trainer.programs import Task, clocked
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset


class ShareInOrder(InOrder):
    """Each world-size-th row of every batch, as the trainer shares them out."""

    def __len__(self) -> int:
        return super().__len__() // dist.get_world_size()

    def __iter__(self):
        return iter(list(super().__iter__())[dist.get_rank() :: dist.get_world_size()])


def default(task: Task) -> Measured:
    dist.init_process_group("gloo")
    size = task.batch // dist.get_world_size()
    batches = DataLoader(TensorDataset(task.features, task.targets), batch_size=size, sampler=ShareInOrder(task))
    model, optimizer = DistributedDataParallel(task.model), task.optimizer()

    def epoch(number: int) -> float:
        total = torch.zeros(())
        for features, targets in batches:
            optimizer.zero_grad()
            loss = task.loss(model(features), targets)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        dist.all_reduce(total)
        return float(total) / len(batches) / dist.get_world_size()

    return clocked(task, epoch)
