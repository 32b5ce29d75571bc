/* shimhub's native library: the public interface. No Python here.
 *
 * Every function that can fail returns a status; results go through pointers, and nothing is
 * written where a status other than OK is returned, unless a function says so.
 * No function prints, and all may be called from any thread.
 * native/cdef/ repeats the declarations of Python's interest; the compiler compares the two.
 */
#ifndef SHIMHUB_H
#define SHIMHUB_H

#include "shimhub/core.h"
#include "shimhub/columns.h"
#include "shimhub/dedup.h"
#include "shimhub/hash.h"
#include "shimhub/ipc.h"
#include "shimhub/linalg.h"
#include "shimhub/lines.h"
#include "shimhub/minhash.h"
#include "shimhub/pack.h"
#include "shimhub/pad.h"
#include "shimhub/repr.h"

#endif
