/* Python's objects for linalg. */
#include "py.h"

PyMethodDef shimhub_py_linalg_methods[] = {
    {NULL, NULL, 0, NULL},
};
