# Made at build time from native/cdef/ and native/python/.
from typing import Any

ffi: Any
lib: Any

def __getattr__(name: str) -> Any: ...
