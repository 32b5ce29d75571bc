/* dedup */
#ifndef SHIMHUB_DEDUP_H
#define SHIMHUB_DEDUP_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif

#endif
