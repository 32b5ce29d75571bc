/* The head of the generated binding; cffi writes the rest from shimhub.cdef. */
#include "shimhub.h"
