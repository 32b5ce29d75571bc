"""A small data-parallel trainer that assumes a newer torch, Triton, and an accelerator's API.

It needs three things that a CPU build of torch 2.13 lacks: the ``triton`` package, which it
imports for a kernel that only GPUs run; ``torch.distributed.set_timeout``, new in 2.14; and
``torch.cpu.memory_stats``, which no CPU build has.
"""

import datetime
import os

import torch
import torch.distributed as dist
import triton
import triton.language as tl

STEPS = 20


@triton.jit
def add_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    """Add x to y in place; runs on GPUs."""
    offset = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offset < n
    total = tl.load(x_ptr + offset, mask=mask) + tl.load(y_ptr + offset, mask=mask)
    tl.store(y_ptr + offset, total, mask=mask)


def add_(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return y + x, by the kernel where there is a GPU."""
    if not y.is_cuda:
        return y.add_(x)
    add_kernel[(triton.cdiv(y.numel(), 1024),)](x, y, y.numel(), BLOCK=1024)
    return y


def main() -> None:
    """Train a two-layer network on one process and print first and last loss."""
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    dist.init_process_group("gloo", init_method="tcp://127.0.0.1:0", rank=0, world_size=1)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))
    data = torch.randn(256, 8)
    goal = add_(data.sum(dim=1, keepdim=True), torch.ones(256, 1))
    dist.set_timeout(datetime.timedelta(seconds=60))
    losses = [step(model, data, goal) for _ in range(STEPS)]
    stats = torch.cpu.memory_stats()
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}; memory facts: {len(stats)}")
    dist.destroy_process_group()


def step(model: torch.nn.Module, data: torch.Tensor, goal: torch.Tensor) -> float:
    """Take one step of gradient descent and return the loss."""
    loss = torch.nn.functional.mse_loss(model(data), goal)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for weight in model.parameters():
            dist.all_reduce(weight.grad)
            weight -= 0.05 * weight.grad
    return loss.item()


if __name__ == "__main__":
    main()
