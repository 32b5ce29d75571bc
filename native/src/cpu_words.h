/* Private to cpu.c and its test: the words that a processor answers, apart from asking for them. */
#ifndef SHIMHUB_CPU_WORDS_H
#define SHIMHUB_CPU_WORDS_H

#include <stdint.h>

enum { SHIMHUB_LEAF1_ECX, SHIMHUB_LEAF1_EDX, SHIMHUB_LEAF7_EBX, SHIMHUB_CPUID_WORDS };

struct shimhub_cpuid {
    uint32_t words[SHIMHUB_CPUID_WORDS];
    uint64_t xcr0; /* register state that the operating system saves; 0 without OSXSAVE */
};

/* The feature mask of a processor that answers so. Pure, and built on every machine. */
uint64_t shimhub_cpuid_decode(const struct shimhub_cpuid *cpuid);

#endif
