/* Python's objects for minhash. */
#include "py.h"

PyMethodDef shimhub_py_minhash_methods[] = {
    {NULL, NULL, 0, NULL},
};
