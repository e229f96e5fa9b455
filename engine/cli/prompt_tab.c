/* SPDX-License-Identifier: MIT */
/*
 * prompt_tab.c - see prompt_tab.h.
 *
 * Layer: cli. Locks: tab.mu, a leaf.
 * Invariant: who comes second to a request frees it: the loop with its answer, or the terminal
 * thread, which waits no longer.
 */
#include "cli/prompt_tab.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PATIENCE_MS = 500 };

struct request {
    char *line;                  /* [const] */
    size_t point;                /* [const] */
    bool is_done;                /* [tab.mu] answered, or given up */
    bool is_found;               /* [tab.mu] */
    struct cli_completion found; /* [tab.mu] */
};

static struct {
    pthread_mutex_t mu;
    pthread_cond_t answered; /* [mu] */
    tutti_engine *engine;    /* [loop thread] and the terminal's, which starts later, ends before */
    lua_State *L;            /* [loop thread] */
} tab = { .mu = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER };

void cli_tab_start(tutti_engine *engine, lua_State *L)
{
    if (engine != NULL)
        tab.engine = engine;
    tab.L = L;
}

static void free_request(struct request *request)
{
    free(request->line);
    free(request);
}

static void free_found(struct cli_completion *found)
{
    free(found->insert);
    free(found->listing);
}

static void on_request(void *user)
{
    struct request *request = (struct request *)user;
    struct cli_completion found = { 0 };
    bool is_found =
        tab.L != NULL && cli_prompt_complete(tab.L, request->line, request->point, &found);
    pthread_mutex_lock(&tab.mu);
    bool is_late = request->is_done;
    request->is_done = true;
    request->is_found = is_found;
    request->found = found;
    pthread_cond_signal(&tab.answered);
    pthread_mutex_unlock(&tab.mu);
    if (!is_late)
        return;
    free_found(&found);
    free_request(request);
}

static struct request *new_request(const char *line, size_t point)
{
    struct request *request = (struct request *)calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    request->point = point;
    request->line = strdup(line);
    if (request->line != NULL)
        return request;
    free(request);
    return NULL;
}

/* Of the calendar's clock: ThreadSanitizer does not see pthread_cond_clockwait. */
static struct timespec end_of_patience(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)PATIENCE_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return until;
}

/* Returns false if the answer did not come: it will be freed where it comes. */
static bool wait_for(struct request *request)
{
    struct timespec until = end_of_patience();
    pthread_mutex_lock(&tab.mu);
    while (!request->is_done && pthread_cond_timedwait(&tab.answered, &tab.mu, &until) == 0)
        continue;
    bool is_done = request->is_done;
    request->is_done = true;
    pthread_mutex_unlock(&tab.mu);
    return is_done;
}

bool cli_tab_ask(const char *line, size_t point, struct cli_completion *found)
{
    struct request *request = new_request(line, point);
    if (request == NULL)
        return false;
    if (tutti_post(tab.engine, on_request, request) != TUTTI_OK) {
        free_request(request);
        return false;
    }
    if (!wait_for(request))
        return false;
    bool is_found = request->is_found;
    *found = request->found;
    free_request(request);
    return is_found;
}
