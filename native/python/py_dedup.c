/* Python's objects for dedup. */
#include "py.h"

PyMethodDef shimhub_py_dedup_methods[] = {
    {NULL, NULL, 0, NULL},
};
