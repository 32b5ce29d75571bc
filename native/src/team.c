/* A bounded team of threads for one call.
 *
 * Threads are made and joined within the call: some 20 us each, before work of milliseconds. What
 * does not exist between calls has no state that a fork could copy half, or that the end of an
 * interpreter could find in use. */
#if defined(__linux__)
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "team.h"

#include <stdatomic.h>

#include "shimhub/core.h"

#if defined(__unix__) || defined(__APPLE__)
#define HAVE_THREADS 1
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#else
#define HAVE_THREADS 0
#endif

struct team {
    void (*task)(void *context, size_t index);
    void *context;
    size_t count;
    atomic_size_t next;
};

static void work(struct team *team)
{
    size_t index;
    while ((index = atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed)) < team->count)
        team->task(team->context, index);
}

#if HAVE_THREADS

static void *work_of_thread(void *team)
{
    work(team);
    return NULL;
}

static unsigned start(struct team *team, pthread_t *threads, unsigned wanted)
{
    unsigned started = 0;
    sigset_t all, before;
    /* Signals are for the threads of the program: Python's handlers run in its main one. */
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return 0;
    while (started < wanted && pthread_create(&threads[started], NULL, work_of_thread, team) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void shimhub_team_run(unsigned threads, size_t count, void (*task)(void *context, size_t index),
                      void *context)
{
    struct team team = {task, context, count, 0};
    pthread_t others[SHIMHUB_TEAM_MAX];
    size_t wanted = threads ? threads : shimhub_processors();
    if (wanted > count)
        wanted = count;
    if (wanted > SHIMHUB_TEAM_MAX)
        wanted = SHIMHUB_TEAM_MAX;
    unsigned started = wanted > 1 ? start(&team, others, (unsigned)wanted - 1) : 0;
    work(&team);
    while (started > 0)
        pthread_join(others[--started], NULL);
}

#else

void shimhub_team_run(unsigned threads, size_t count, void (*task)(void *context, size_t index),
                      void *context)
{
    struct team team = {task, context, count, 0};
    (void)threads;
    work(&team);
}

#endif

unsigned shimhub_processors(void)
{
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int count = CPU_COUNT(&set);
        return count > 0 ? (unsigned)count : 1;
    }
#endif
#if HAVE_THREADS
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
#else
    return 1;
#endif
}
