/* Adds the functions of all areas to the module that cffi made. */
#include "py.h"

int shimhub_py_register(uintptr_t module);

int shimhub_py_register(uintptr_t module)
{
    PyMethodDef *tables[] = {
        shimhub_py_dedup_methods, shimhub_py_minhash_methods, shimhub_py_pad_methods,
        shimhub_py_pack_methods,  shimhub_py_linalg_methods, shimhub_py_rows_methods,
        shimhub_py_lines_methods, shimhub_py_conform_methods,
        shimhub_py_accel_methods, shimhub_py_outline_methods,
    };
    int status = 0;
    /* cffi released the GIL before it called us. */
    PyGILState_STATE state = PyGILState_Ensure();
    for (size_t i = 0; status == 0 && i < sizeof tables / sizeof *tables; i++)
        status = PyModule_AddFunctions((PyObject *)module, tables[i]);
    if (status != 0)
        PyErr_Clear(); /* the caller sees the status */
    PyGILState_Release(state);
    return status;
}
