/* SPDX-License-Identifier: MIT */
/*
 * stress_repl.c - prompts of a host that are fed, interrupted and freed at any moment, also by a thread's
 * urgent posts. Each text is done once, nothing is told after the end, and nothing is left.
 */
#include <lauxlib.h>
#include <lualib.h>

#include "stress/stress.h"
#include "tutti_lua.h"

enum { PROMPTS = 4, LIMIT_S = 60 };

/* ThreadSanitizer holds signals back until a call that it intercepts, which a loop in Lua never makes. */
#ifdef TUTTI_TSAN
#define LOOP "tutti.sleep(60)"
#define PREEMPT TUTTI_PREEMPT_HOOK /* pool tasks only */
#else
#define LOOP "while true do end"
#define PREEMPT TUTTI_PREEMPT_SIGNAL
#endif

static const char *const texts[] = {
    LOOP,
    "1 + 1",
    "local kept = {} ; return kept",
    "kept",
    "tutti.sleep(0.0005)",
    "tutti.sleep(60)",
    "tutti.sleep(0.001) &",
    "tutti.sleep(60) &",
    "tutti.spawn(function() tutti.sleep(0.001) error('child') end)",
    "tutti.spawn(function() tutti.sleep(60) end) tutti.sleep(60)",
    "tutti.parallel(function() return 1 end):await()",
    "tutti.parallel(function() while true do end end) &",
    "tutti.shield(0.001, function() tutti.sleep(60) end)",
    "for i = 1,",
    "x = = 1",
    "error('bad')",
    "tutti.defer(function() error('late') end)",
    "setmetatable({}, { __tostring = function() error('no text') end })",
    ":help",
    ":tasks",
    ":cancel 1",
    ":time tutti.sleep(0.0005)",
    "tutti.exec{ 'true' }:await()",
    "print(1)",
    "",
};
enum { TEXTS = sizeof texts / sizeof texts[0] };

static struct prompt {
    tutti_repl *repl; /* [loop thread] NULL: there is none */
    int fed, done;
    bool free_in_write, free_in_done;
} prompts[PROMPTS];

static tutti_engine *engine;
static lua_State *L;
static uint64_t rng;
static int told_late, texts_fed, interrupted;
static atomic_int posts; /* on their way */

static void end_prompt(struct prompt *prompt)
{
    if (prompt->repl != NULL)
        (void)tutti_repl_free(prompt->repl);
    prompt->repl = NULL;
}

static void on_write(void *user, const char *text, size_t size, int kind)
{
    struct prompt *prompt = (struct prompt *)user;
    (void)kind;
    told_late += prompt->repl == NULL || size == 0 || text[size - 1] != '\n';
    if (prompt->free_in_write)
        end_prompt(prompt);
}

static void on_done(void *user, int outcome)
{
    struct prompt *prompt = (struct prompt *)user;
    (void)outcome;
    told_late += prompt->repl == NULL;
    prompt->done++;
    if (prompt->free_in_done)
        end_prompt(prompt);
}

static void begin_prompt(struct prompt *prompt)
{
    tutti_repl_config config = { .struct_size = sizeof config, .write = on_write, .done = on_done,
                                 .user = prompt, .flags = TUTTI_REPL_OWN_PRINT };
    uint64_t chance = tap_random(&rng) % 8;
    *prompt = (struct prompt){ .free_in_write = chance == 0, .free_in_done = chance == 1 };
    if (tutti_repl_new(L, &config, &prompt->repl) != TUTTI_OK)
        prompt->repl = NULL;
}

/* An urgent post: it may run inside a hook, in the middle of a text. */
static void interrupt_all(void *user)
{
    (void)user;
    for (int i = 0; i < PROMPTS; i++)
        if (prompts[i].repl != NULL)
            interrupted += tutti_repl_interrupt(prompts[i].repl) == TUTTI_OK;
    atomic_fetch_sub(&posts, 1);
}

static atomic_bool over;

static void *post_interrupts(void *arg)
{
    uint64_t state = tap_seed() + 1;
    (void)arg;
    while (!atomic_load(&over)) {
        struct timespec pause = { .tv_nsec = (long)(tap_random(&state) % 3000000) };
        nanosleep(&pause, NULL);
        if (atomic_fetch_add(&posts, 1) > 10 || tutti_post_urgent(engine, interrupt_all, NULL) != TUTTI_OK)
            atomic_fetch_sub(&posts, 1);
    }
    return NULL;
}

static void step(void)
{
    struct prompt *prompt = &prompts[tap_random(&rng) % PROMPTS];
    uint64_t chance = tap_random(&rng) % 16;
    if (prompt->repl == NULL) {
        begin_prompt(prompt);
    } else if (chance < 10) {
        const char *text = texts[tap_random(&rng) % TEXTS];
        prompt->fed += tutti_repl_feed(prompt->repl, text, strlen(text)) == TUTTI_OK;
        texts_fed++;
    } else if (chance < 13) {
        (void)tutti_repl_interrupt(prompt->repl);
    } else if (chance == 13) {
        end_prompt(prompt);
    } else {
        (void)tutti_poll(engine, 200000);
    }
}

static int count_live(void)
{
    int live = -1;
    if (luaL_dostring(L, "return tutti.stats().live") == LUA_OK)
        live = (int)lua_tointeger(L, -1);
    lua_settop(L, 0);
    return live;
}

/* Interrupt whatever still holds a prompt until each text is done. Returns how many never were. */
static int drain(void)
{
    time_t start = time(NULL);
    for (int missing = -1; missing != 0;) {
        missing = 0;
        for (int i = 0; i < PROMPTS; i++) {
            if (prompts[i].repl == NULL)
                continue;
            (void)tutti_repl_interrupt(prompts[i].repl);
            missing += prompts[i].fed - prompts[i].done;
        }
        (void)tutti_poll(engine, 1000000);
        if (time(NULL) - start > LIMIT_S)
            return missing;
    }
    return 0;
}

int main(void)
{
    tutti_config config = { .struct_size = sizeof config, .workers = stress_workers(2),
                            .loop = TUTTI_LOOP_CALLER, .preempt = PREEMPT };
    pthread_t thread;
    TAP_BEGIN();
    rng = tap_seed();
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine");
    L = luaL_newstate();
    luaL_openlibs(L);
    REQUIRE(tutti_lua_attach(L, engine) == TUTTI_OK, "attached");
    REQUIRE(luaL_dostring(L, "tutti = require 'tutti'") == LUA_OK, "tutti");
    REQUIRE(pthread_create(&thread, NULL, post_interrupts, NULL) == 0, "a thread");
    for (uint64_t end_ns = stress_end_ns(); !stress_is_over(end_ns);)
        step();
    EQ_INT(drain(), 0, "each text is done once");
    time_t start = time(NULL);
    for (int i = 0; i < PROMPTS; i++)
        end_prompt(&prompts[i]);
    while (count_live() > 0 && time(NULL) - start < LIMIT_S)
        (void)tutti_poll(engine, 1000000);
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    while (atomic_load(&posts) > 0)
        (void)tutti_poll(engine, 1000000);
    EQ_INT(count_live(), 0, "nothing is left");
    EQ_INT(told_late, 0, "nothing is told after the end, and all in whole lines");
    NOTE("%d texts, %d interrupted by posts", texts_fed, interrupted);
    lua_close(L);
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "the engine ends");
    return TAP_END();
}
