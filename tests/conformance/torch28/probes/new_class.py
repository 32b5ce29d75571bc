"""A missing class, by the code that the README of pytorch/torchtitan#1862 prints.

The module that the text calls ``torch.some.existing_module`` is made to exist first.
"""
# ruff: noqa: E402 - the middle is printed code

import sys
from types import ModuleType

import torch

torch.some = ModuleType("torch.some")
torch.some.existing_module = ModuleType("torch.some.existing_module")
for module in (torch.some, torch.some.existing_module):
    sys.modules[module.__name__] = module

from torchtitan.experiments.compat.compat import install_shims

# fmt: off


def _shim_existing_module():
    from torch.some import existing_module

    class MissingClass:
        # Implementation or stub
        pass

    existing_module.MissingClass = MissingClass
    return existing_module

# In install_shims():
_shim_existing_module()

# fmt: on

install_shims()
from torch.some.existing_module import MissingClass

print("imported", MissingClass.__name__)
