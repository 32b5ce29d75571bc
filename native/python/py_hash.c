/* Python's objects for hash. */
#include "py.h"

PyMethodDef shimhub_py_hash_methods[] = {
    {NULL, NULL, 0, NULL},
};
