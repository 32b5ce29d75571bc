"""Deep learning on numpy and our kernels: tensors with gradients, layers, optimizers, a trainer.

numpy alone is enough; torch is imported only where :mod:`shimhub.accel` was told to use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shimhub import _later

if TYPE_CHECKING:
    from shimhub.pure._graph import no_grad
    from shimhub.pure._making import manual_seed
    from shimhub.pure.errors import DataError, DivergedError, GraphError, KindError, PureError
    from shimhub.pure.nn import (
        GELU,
        LayerNorm,
        Linear,
        Module,
        ReLU,
        Sequential,
        Sigmoid,
        Softmax,
        Tanh,
    )
    from shimhub.pure.tensor import PureTensor
    from shimhub.pure.training import (
        SGD,
        Adam,
        History,
        Optimizer,
        Trainer,
        accuracy,
        cross_entropy,
        mse_loss,
    )

__all__ = [
    "GELU",
    "SGD",
    "Adam",
    "DataError",
    "DivergedError",
    "GraphError",
    "History",
    "KindError",
    "LayerNorm",
    "Linear",
    "Module",
    "Optimizer",
    "PureError",
    "PureTensor",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "Trainer",
    "accuracy",
    "cross_entropy",
    "manual_seed",
    "mse_loss",
    "no_grad",
]

#: Public names by the module that has them; imported at first use.
_MODULES: Final = {
    "_graph": "no_grad",
    "_making": "manual_seed",
    "errors": "DataError DivergedError GraphError KindError PureError",
    "nn": "GELU LayerNorm Linear Module ReLU Sequential Sigmoid Softmax Tanh",
    "tensor": "PureTensor",
    "training": "SGD Adam History Optimizer Trainer accuracy cross_entropy mse_loss",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = _later.attributes(globals(), _MODULES)
