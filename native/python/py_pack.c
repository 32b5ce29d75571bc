/* Python's objects for pack. */
#include "py.h"

PyMethodDef shimhub_py_pack_methods[] = {
    {NULL, NULL, 0, NULL},
};
