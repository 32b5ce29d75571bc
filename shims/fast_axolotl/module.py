"""``fast_axolotl``: what its documentation and its release 0.2.0 have, on shimhub's own work.

Origin: https://github.com/neul-labs/fast-axolotl (names, signatures, results). Importing
it installs its shims, as 0.2.0 does; unlike there, axolotl stays importable and can be restored.
"""

from __future__ import annotations

from fast_axolotl._functions import (
    RUST_AVAILABLE,
    concatenate_and_pack,
    create_padding_mask,
    deduplicate_indices,
    detect_format,
    is_available,
    list_supported_formats,
    pack_sequences,
    pad_sequences,
    parallel_hash_rows,
)
from fast_axolotl._shims import (
    install,
    install_at_import,
    install_collator_shim,
    install_hashing_shim,
    install_streaming_shim,
    uninstall,
)
from fast_axolotl.streaming import (
    RustStreamingDataset,
    create_rust_streaming_dataset,
    should_use_rust_streaming,
    streaming_dataset_reader,
)

import shimhub

#: The release whose names are served.
__version__ = "0.2.0"
#: The name that its documentation has for ``is_available``.
rust_available = is_available

__all__ = [
    "RUST_AVAILABLE",
    "RustStreamingDataset",
    "concatenate_and_pack",
    "create_padding_mask",
    "create_rust_streaming_dataset",
    "deduplicate_indices",
    "detect_format",
    "get_version",
    "install",
    "install_collator_shim",
    "install_hashing_shim",
    "install_streaming_shim",
    "is_available",
    "list_supported_formats",
    "pack_sequences",
    "pad_sequences",
    "parallel_hash_rows",
    "rust_available",
    "should_use_rust_streaming",
    "streaming_dataset_reader",
    "uninstall",
]


def get_version() -> str:
    """Return the version served and, where 0.2.0 tells that of its Rust part, who serves it."""
    return f"{__version__} (rust: shimhub {shimhub.__version__})"


install_at_import()
