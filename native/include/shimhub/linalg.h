/* linalg */
#ifndef SHIMHUB_LINALG_H
#define SHIMHUB_LINALG_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif

#endif
