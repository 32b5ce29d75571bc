/* minhash */
#ifndef SHIMHUB_MINHASH_H
#define SHIMHUB_MINHASH_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif

#endif
