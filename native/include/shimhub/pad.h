/* pad */
#ifndef SHIMHUB_PAD_H
#define SHIMHUB_PAD_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif

#endif
