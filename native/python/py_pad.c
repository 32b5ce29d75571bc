/* Python's objects for pad. */
#include "py.h"

PyMethodDef shimhub_py_pad_methods[] = {
    {NULL, NULL, 0, NULL},
};
