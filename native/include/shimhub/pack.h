/* pack */
#ifndef SHIMHUB_PACK_H
#define SHIMHUB_PACK_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif

#endif
