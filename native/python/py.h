/* Private: the thin CPython layer. Each area gives a table of functions that take Python's own
 * objects without copying them (METH_FASTCALL: 7.5 ns a call; a call through cffi takes 60). */
#ifndef SHIMHUB_PY_H
#define SHIMHUB_PY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "shimhub.h"

extern PyMethodDef shimhub_py_dedup_methods[];
extern PyMethodDef shimhub_py_minhash_methods[];
extern PyMethodDef shimhub_py_pad_methods[];
extern PyMethodDef shimhub_py_pack_methods[];
extern PyMethodDef shimhub_py_linalg_methods[];
extern PyMethodDef shimhub_py_rows_methods[];
extern PyMethodDef shimhub_py_lines_methods[];
extern PyMethodDef shimhub_py_conform_methods[];
extern PyMethodDef shimhub_py_accel_methods[];
extern PyMethodDef shimhub_py_outline_methods[];

#endif
