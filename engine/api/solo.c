/* SPDX-License-Identifier: MIT */
/*
 * solo.c - see solo.h.
 *
 * Layer: api. Locks: none.
 */
#include "api/solo.h"

#include <stddef.h>

#include "api/engine.h"
#include "base/alloc.h"

/* Tasks of the pool in one turn: less than this. */
enum { TASKS = 4 };

/* Thread: any. The loop's thread sets `asleep` between two rounds, see tutti__loop_wake. */
static void wake(struct tutti__home *home)
{
    struct tutti__solo *solo =
        (struct tutti__solo *)(void *)((char *)home - offsetof(struct tutti__solo, home));
    tutti__loop_wake(solo->engine->loop);
}

int tutti__solo_new(tutti_engine **out, uint64_t seed, tutti_engine *outer)
{
    struct tutti__solo *solo = tutti__alloc_zero(1, sizeof *solo);
    if (solo == NULL) {
        return TUTTI_ENOMEM;
    }
    tutti__virtual_init(&solo->world, seed);
    solo->home.wake = wake;
    solo->home.until_ns = TUTTI_FOREVER;
    solo->outer = outer;
    tutti_config config = { .struct_size = sizeof config,
                            .loop = TUTTI_LOOP_CALLER,
                            .workers = TUTTI_NO_WORKERS };
    int rc = tutti__engine_new(&solo->engine, &config, &solo->world.env);
    if (rc != TUTTI_OK) {
        tutti__free(solo);
        return rc;
    }
    solo->engine->solo = solo;
    *out = solo->engine;
    return TUTTI_OK;
}

/* ---- the pool's turn ------------------------------------------------------------------------ */

static uint32_t choose(struct tutti__solo *solo, uint32_t count)
{
    return solo->world.env.choose(&solo->world, count);
}

static void run_tasks(struct tutti__solo *solo)
{
    struct tutti__help_limit limit = { NULL, NULL, 0 }; /* without a budget it ends after one */
    for (uint32_t n = choose(solo, TASKS); n > 0; n--) {
        (void)tutti__help(solo->engine->sched, &limit);
    }
}

static void serve_home(struct tutti__solo *solo)
{
    struct tutti__home *home = &solo->home;
    if (choose(solo, 2) == 0) {
        return;
    }
    tutti__home_drain(home);
    if (home->pump != NULL) {
        (void)home->pump(home->pump_user);
    }
}

static bool has_home_work(const struct tutti__home *home)
{
    /* relaxed: a hint; before a sleep it is asked for again behind a fence. */
    return home->taken != NULL || TUTTI_LOAD(&home->inbox, relaxed) != NULL ||
           (home->has_work != NULL && home->has_work(home->pump_user));
}

bool tutti__solo_is_quiet(struct tutti__solo *solo)
{
    return !tutti__sched_any_ready(solo->engine->sched) && !has_home_work(&solo->home);
}

enum tutti__help_end tutti__solo_turn(struct tutti__solo *solo)
{
    if (tutti__solo_is_quiet(solo)) {
        return TUTTI__HELP_NONE;
    }
    if (choose(solo, 2) == 0) {
        run_tasks(solo);
        serve_home(solo);
    } else {
        serve_home(solo);
        run_tasks(solo);
    }
    return TUTTI__HELP_MORE;
}

bool tutti__solo_sleep_begin(struct tutti__solo *solo)
{
    return tutti__home_sleep_begin(&solo->home);
}

void tutti__solo_sleep_end(struct tutti__solo *solo)
{
    tutti__home_sleep_end(&solo->home);
}
