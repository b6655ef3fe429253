"""One of several processes that save a sharded state together, as FSDP and tensor parallelism do.

``python distributed_writer.py RANK WORLD STORE FOLDER``; writes ``FOLDER/torch`` and, by the
Hugging Face writer, ``FOLDER/hugging-face``.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor


def whole_state() -> dict[str, torch.Tensor]:
    """The tensors before they are spread over the processes."""
    numbers = torch.arange(35.0).reshape(7, 5)
    return {
        "rows": numbers,
        "columns": numbers.to(torch.bfloat16),
        "same": numbers.double() / 7,
        "few": torch.arange(1.0),  # fewer rows than processes
    }


def main(rank: int, world: int, store: str, folder: Path) -> None:
    """Save in this process's part."""
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    mesh = init_device_mesh("cpu", (world,))
    placements = {
        "rows": [Shard(0)],
        "columns": [Shard(1)],
        "same": [Replicate()],
        "few": [Shard(0)],
    }
    state = {
        name: distribute_tensor(tensor, mesh, placements[name])
        for name, tensor in whole_state().items()
    }
    own = {f"only{rank}": torch.full((2,), float(rank)), "epoch": 7}
    dcp.save({**state, **own}, checkpoint_id=folder / "torch")
    hugging_face = dcp.HuggingFaceStorageWriter(
        str(folder / "hugging-face"), save_distributed=True, enable_consolidation=False
    )
    dcp.save(state, storage_writer=hugging_face)
    dist.destroy_process_group()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
