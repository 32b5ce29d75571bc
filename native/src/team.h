/* Private: run tasks on several threads. */
#ifndef SHIMHUB_TEAM_H
#define SHIMHUB_TEAM_H

#include <stddef.h>

#define SHIMHUB_TEAM_MAX 64

/* Runs task(context, 0) .. task(context, count - 1), each once, in any order, on up to `threads`
 * threads (0: as many as there are processors; at most SHIMHUB_TEAM_MAX), this one among them.
 * Returns when all are done; tasks see what was written before, and the caller what they wrote.
 * Where the system gives fewer threads, those do the work. */
void shimhub_team_run(unsigned threads, size_t count, void (*task)(void *context, size_t index),
                      void *context);

#endif
