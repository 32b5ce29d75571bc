"""A missing module, by the code that the README of pytorch/torchtitan#1862 prints."""
# ruff: noqa: E402, RET504 - the middle is printed code
# fmt: off

from types import ModuleType

from torchtitan.experiments.compat.compat import register_shim


def _shim_new_module():
    module = ModuleType('torch.some.missing.module')
    # Add functions/classes to the module
    return module

# In install_shims():
register_shim('torch.some.missing.module', _shim_new_module)

# fmt: on

import torch.some.missing.module as found

assert isinstance(found, ModuleType)
assert found.__name__ == "torch.some.missing.module"
print("imported", found.__name__)
