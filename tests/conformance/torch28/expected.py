"""What is installed, what is run, and what must hold: data alone."""

from __future__ import annotations

from dataclasses import dataclass

TORCH = "2.8.0"
#: torchdata and datasets as TorchTitan 0.2 wants them; the rest of what it imports.
REQUIREMENTS = (
    f"torch=={TORCH}",
    "numpy",
    "torchdata>=0.8",
    "datasets>=3.6,<4.8",
    "tokenizers",
    "tomli",
    "tyro",
    "tensorboard",
    "einops",
    "pillow",
    "safetensors",
)
#: What shimhub itself wants, beside numpy.
SHIMHUB_NEEDS = ("cffi>=1.17", "importlib-metadata>=8", "packaging>=23")
VERSIONS = ("0.2.0", "0.2.1", "0.2.2")
#: Packages that the measured code may not miss: an error about anything else is third-party.
OWN = ("torch", "torchtitan", "triton", "shimhub")


@dataclass(frozen=True)
class Sweep:
    """How many modules a TorchTitan has, how many of them import with shimhub and without."""

    modules: int
    importable: int
    bare: int


SWEEPS = {"0.2.0": Sweep(69, 69, 41), "0.2.1": Sweep(89, 71, 0), "0.2.2": Sweep(97, 78, 0)}


@dataclass(frozen=True)
class Training:
    """One training; ``resumes`` names the one whose last checkpoint is removed to go on from it."""

    version: str
    ranks: int
    options: str = ""
    shimhub: bool = True
    disabled: tuple[str, ...] = ()
    resumes: str = ""


CONFIG = {"0.2.0": "debug-0.2.0.toml", "0.2.1": "debug-0.2.2.toml", "0.2.2": "debug-0.2.2.toml"}
STEPS = [1, 2, 3, 4, 5]
LAST_STEP = "step-5"
#: What keeps FSDP from the gloo reduce_scatter(AVG) of torch 2.8 that returns the sum
#: (https://github.com/pytorch/pytorch/issues/162338): the operation mended, and not asked for.
AVERAGE = ("torch/distributed/gloo_average/*", "torch/distributed/fsdp_sum_on_cpu")
SAVING = "--checkpoint.enable --checkpoint.interval 3"
HF = "--checkpoint.enable --checkpoint.last_save_model_only --checkpoint.last_save_in_hf"
PIPELINE = "--parallelism.pipeline_parallel_degree 2 --parallelism.pipeline_parallel_schedule"
QUANTIZED = (
    "--model.name deepseek_v3 --model.flavor debugmodel --checkpoint.enable "
    "--checkpoint.initial_load_in_hf --checkpoint.initial_load_in_hf_quantized "
    "--checkpoint.initial_load_path tests/assets"
)
#: The first and the last, which differ most; and where one must do.
ENDS = (VERSIONS[0], VERSIONS[-1])
LAST = VERSIONS[-1:]
FEATURES = {
    "full-checkpointing": (1, "--activation_checkpoint.mode full"),
    "tensor-parallel": (2, "--parallelism.tensor_parallel_degree 2"),
    "pipeline-parallel": (2, f"{PIPELINE} 1F1B"),
    "save": (2, SAVING),
    "async-save": (2, f"{SAVING} --checkpoint.async_mode async"),
    "hf-export": (2, HF),
}
REFUSALS = {
    "dualpipev": (2, f"{PIPELINE} DualPipeV"),
    "pinned-memory": (1, f"{SAVING} --checkpoint.async_mode async_with_pinned_mem"),
    "quantized": (1, QUANTIZED),
}
TRAININGS: dict[str, Training] = {
    **{f"train-{v}-{ranks}": Training(v, ranks) for v in VERSIONS for ranks in (1, 2)},
    **{
        f"train-{v}-{ranks}-bare": Training(v, ranks, shimhub=False)
        for v in VERSIONS
        for ranks in (1, 2)
    },
    **{f"train-{v}-2-sum": Training(v, 2, disabled=AVERAGE) for v in VERSIONS},
    **{
        f"{name}-{v}": Training(v, ranks, options)
        for name, (ranks, options) in FEATURES.items()
        for v in LAST
    },
    **{f"load-{v}": Training(v, 2, FEATURES["save"][1], resumes=f"save-{v}") for v in LAST},
    **{
        f"{name}-{v}": Training(v, ranks, options)
        for name, (ranks, options) in REFUSALS.items()
        for v in ENDS
    },
}

#: Loss of step 1 and of step 5, by ranks, and the 2-rank gradient norm of step 1: measured once
#: with other assets (another text, another tokenizer), so they are told beside ours and not held.
REFERENCE = {1: (8.0614, 7.3532), 2: (8.1304, 7.3334)}
REFERENCE_NORM = 0.955
#: 0.2.0 prints 4 decimals and 0.2.2 prints 5: equal figures differ by rounding alone.
EQUAL = 6e-5
FALL = 0.5  # the least that the loss falls by in five steps
#: The 2-rank norm of step 1 over the 1-rank norm; the reference has 0.82, its double is 1.64.
NORM_RATIO = (0.6, 1.2)
#: What AVG's bug makes of the 2-rank norm. 0.2.2 asks FSDP for a sum and divides by itself: its
#: norm says what the others' must be.
SUM_RATIO = {"0.2.0": 2.0, "0.2.1": 2.0, "0.2.2": 1.0}
HF_TENSORS = 57

FULL_TRACE = ["pre", "post-a", "end", "pre", "post-a", "end"]
SHORT_TRACE = ["pre", "post-a", "end", "pre"]
#: What torch 2.13 prints for probes/early_stop.py; used where none runs the harness.
NATIVE_TRACES = {
    f"{what}, {told}": FULL_TRACE if told == "False" else SHORT_TRACE
    for what in ("checkpoint_wrapper", "checkpoint")
    for told in ("False", "True", "not given")
}

#: What a refusal's message must name: the torch that has it, and one of the cures.
NATIVE_SINCE = "2.9"
CURES = {
    "dualpipev": ("1F1B", "ZBVZeroBubble"),
    "pinned-memory": ("async_mode", "'async'", '"async"'),
    "quantized": ("initial_load_in_hf_quantized", "without quantization"),
}

#: Bare runs that end well: `import torchtitan` of 0.2.0 takes no name that torch 2.8 lacks.
WORKS_BARE = {"proposal-import-0.2.0"}
#: The lines of the section "Testing" of the README that pytorch/torchtitan#1862 adds, as printed,
#: and the code of its section "Adding New Shims".
PROPOSED_LINES = {
    "proposal-import": "python -c \"import torchtitan; print('Shims loaded successfully')\"",
    "proposal-consolidate": (
        'python -c "from torch.distributed.checkpoint._consolidate_hf_safetensors'
        ' import consolidate_safetensors_files_on_every_rank"'
    ),
    "proposal-suite": "python -m torchtitan.experiments.compat.test_compat",
    "proposal-new-module": "python {probes}/new_module.py",
    "proposal-new-class": "python {probes}/new_class.py",
}
