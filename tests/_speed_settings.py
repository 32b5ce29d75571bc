"""What users set of torch before and after us, and all that must be as it was."""

import hashlib
import itertools
import random
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from shimhub.speed.knobs import fp32  # noqa: E402
from shimhub.speed.model import Targets  # noqa: E402

PROCESS = Targets()


def field(backend, op, value):
    """Write one of the nine fields."""
    torch._C._set_fp32_precision_setter(backend, op, value)


def allow_tf32(on):
    """Write the flag of matmuls."""
    torch.backends.cuda.matmul.allow_tf32 = on


def cudnn_allow_tf32(on):
    """Write the flag of convolutions."""
    torch.backends.cudnn.allow_tf32 = on


def benchmark(on):
    """Write cuDNN's flag."""
    torch.backends.cudnn.benchmark = on


def deterministic(on):
    """Write cuDNN's flag."""
    torch.backends.cudnn.deterministic = on


#: What users write of float32's precision before us, by what they would call it.
USERS = {
    "nothing": (),
    "legacy high": ((torch.set_float32_matmul_precision, "high"),),
    "legacy medium": ((torch.set_float32_matmul_precision, "medium"),),
    "allow_tf32": ((allow_tf32, True),),
    "cudnn off": ((cudnn_allow_tf32, False),),
    "new matmul tf32": ((field, "cuda", "matmul", "tf32"),),
    "new all tf32": ((field, "generic", "all", "tf32"),),
    "new all ieee": ((field, "generic", "all", "ieee"),),
    "both": (
        (torch.set_float32_matmul_precision, "high"),
        (field, "cuda", "matmul", "ieee"),
        (field, "mkldnn", "matmul", "bf16"),
    ),
}


def write(calls):
    """Make the calls, one after the other."""
    for function, *arguments in calls:
        function(*arguments)


def fresh():
    """Bring torch's settings to those of a new process, as near as they can be read."""
    torch.set_float32_matmul_precision("highest")
    for backend, op in itertools.product(("generic", "cuda", "mkldnn"), ("all",)):
        field(backend, op, "none")
    for leaf in (("cuda", "matmul"), ("mkldnn", "matmul"), ("mkldnn", "conv"), ("mkldnn", "rnn")):
        field(*leaf, "none")
    cudnn_allow_tf32(True)
    benchmark(False)
    deterministic(False)
    for enable in SDPA.values():
        enable(True)


SDPA = {
    "flash": torch.backends.cuda.enable_flash_sdp,
    "mem_efficient": torch.backends.cuda.enable_mem_efficient_sdp,
    "math": torch.backends.cuda.enable_math_sdp,
    "cudnn": torch.backends.cuda.enable_cudnn_sdp,
}
_SDPA_GETTERS = [name for name in dir(torch._C) if name.startswith("_get_") and "sdp" in name]
_CUBLAS_GETTERS = [name for name in dir(torch._C) if name.startswith("_get_cublas_allow_")]
_DEVICES = ("cpu", "cuda")


def _told(getter):
    try:
        return getter()
    except RuntimeError:
        return "raises"


def flags():
    """Return every flag of torch that a knob could touch."""
    return {
        **fp32.KNOB.read(PROCESS),
        **{name: _told(getattr(torch._C, name)) for name in _SDPA_GETTERS + _CUBLAS_GETTERS},
        "oneDNN": (torch.backends.mkldnn.enabled, torch.backends.mkldnn.deterministic),
        "oneDNN TF32": torch._C._get_onednn_allow_tf32(),
        "cuDNN": (
            torch.backends.cudnn.enabled,
            torch.backends.cudnn.benchmark,
            torch.backends.cudnn.benchmark_limit,
            torch.backends.cudnn.deterministic,
            torch._C._get_cudnn_depthwise_kernel(),
        ),
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
    }


def surroundings():
    """Return what else of a process training depends on: generators, defaults, modes."""
    return {
        "random": hashlib.sha256(repr(random.getstate()).encode()).hexdigest(),
        "numpy": hashlib.sha256(repr(np.random.get_state()).encode()).hexdigest(),  # noqa: NPY002
        "torch": hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest(),
        "seed": torch.initial_seed(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "autocast": [(torch.is_autocast_enabled(d), torch.get_autocast_dtype(d)) for d in _DEVICES],
        "cache": torch.is_autocast_cache_enabled(),
        "grad": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "warnings": list(warnings.filters),
    }


def world():
    """Return both: all that must be the same when everything of ours is undone."""
    return {**flags(), **surroundings()}
