/* The version, as the build passes it down from shimhub/_version.py. */
#include "shimhub.h"

#ifndef SHIMHUB_VERSION
#error "define SHIMHUB_VERSION: CMakeLists.txt and the Makefile read it from shimhub/_version.py"
#endif

const char *shimhub_version(void)
{
    return SHIMHUB_VERSION;
}
