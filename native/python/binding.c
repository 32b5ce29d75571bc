/* The head of the generated binding; cffi writes the rest from native/cdef/. */
#include "shimhub.h"

int shimhub_py_register(uintptr_t module);
