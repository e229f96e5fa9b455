/* SPDX-License-Identifier: MIT */
/*
 * test_lua_repl.c - the evaluator of a prompt as a host uses it: texts in, texts and outcomes out,
 * Ctrl-C, and its end at every moment.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "base/atomic.h"
#include "support/tap.h"
#include "tutti_lua.h"

/* ThreadSanitizer holds signals back until a call that it intercepts, which a loop in Lua never makes. */
#ifdef TUTTI_TSAN
enum { HAS_SIGNALS = 0 };
#else
enum { HAS_SIGNALS = 1 };
#endif

enum { SEEN_SIZE = 8192, DONE_MAX = 64, LIMIT_S = 60 };

struct host {
    tutti_engine *engine;
    lua_State *L;
};

/* One prompt, and what it has told. */
struct console {
    tutti_repl *repl;
    struct host *host;
    char seen[4][SEEN_SIZE]; /* by enum tutti_repl_text */
    int done[DONE_MAX];
    int done_count;
    bool free_in_write, free_in_done;
    const char *feed_in_done; /* a text to feed when the first one is done */
};

static void host_open(struct host *host)
{
    tutti_config config = { .struct_size = sizeof config, .workers = 2, .loop = TUTTI_LOOP_CALLER,
                            .preempt = HAS_SIGNALS ? TUTTI_PREEMPT_SIGNAL : TUTTI_PREEMPT_NONE };
    REQUIRE(tutti_engine_new(&host->engine, &config) == TUTTI_OK, "an engine");
    host->L = luaL_newstate();
    luaL_openlibs(host->L);
    REQUIRE(tutti_lua_attach(host->L, host->engine) == TUTTI_OK, "attached");
    REQUIRE(luaL_dostring(host->L, "tutti = require 'tutti'") == LUA_OK, "tutti is a global");
}

static void host_close(struct host *host)
{
    lua_close(host->L);
    EQ_INT(tutti_engine_free(host->engine), TUTTI_OK, "the engine ends");
}

static void on_write(void *user, const char *text, size_t size, int kind)
{
    struct console *console = (struct console *)user;
    size_t length = strlen(console->seen[kind]);
    if (length + size < SEEN_SIZE)
        memcpy(console->seen[kind] + length, text, size);
    if (console->free_in_write)
        EQ_INT(tutti_repl_free(console->repl), TUTTI_OK, "freed inside write");
    console->free_in_write = false;
}

static void on_done(void *user, int outcome)
{
    struct console *console = (struct console *)user;
    if (console->done_count < DONE_MAX)
        console->done[console->done_count] = outcome;
    console->done_count++;
    if (console->feed_in_done != NULL)
        (void)tutti_repl_feed(console->repl, console->feed_in_done, strlen(console->feed_in_done));
    console->feed_in_done = NULL;
    if (console->free_in_done)
        EQ_INT(tutti_repl_free(console->repl), TUTTI_OK, "freed inside done");
}

static void console_open(struct console *console, struct host *host, const char *name, uint32_t flags)
{
    tutti_repl_config config = { .struct_size = sizeof config, .name = name, .write = on_write,
                                 .done = on_done, .user = console, .flags = flags };
    memset(console, 0, sizeof *console);
    console->host = host;
    EQ_INT(tutti_repl_new(host->L, &config, &console->repl), TUTTI_OK, "a prompt");
}

static void feed(struct console *console, const char *text)
{
    int before = console->done_count;
    EQ_INT(tutti_repl_feed(console->repl, text, strlen(text)), TUTTI_OK, text);
    EQ_INT(console->done_count, before, "done is not told before feed has returned");
}

/* A frame of the host: what is pending for up to 2 ms, then a pause. */
static void frame(struct host *host)
{
    static const struct timespec pause = { .tv_nsec = 200000 };
    (void)tutti_poll(host->engine, 2000000);
    nanosleep(&pause, NULL);
}

static bool is_late(struct timespec start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec - start.tv_sec > LIMIT_S;
}

/* Frames until `count` texts are done. Returns the last outcome, or -1: it took too long. */
static int wait_done(struct console *console, int count)
{
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    while (console->done_count < count && !is_late(start))
        frame(console->host);
    return console->done_count < count ? -1 : console->done[count - 1];
}

static bool wait_text(struct console *console, int kind, const char *text)
{
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    while (strstr(console->seen[kind], text) == NULL && !is_late(start))
        frame(console->host);
    return strstr(console->seen[kind], text) != NULL;
}

/* Feed one text and wait. Returns its outcome. */
static int evaluate(struct console *console, const char *text)
{
    feed(console, text);
    return wait_done(console, console->done_count + 1);
}

/* ---- Tab ------------------------------------------------------------------------------------- */

/* Candidates, one a line: text from-to. */
static char candidates[SEEN_SIZE];

static void on_candidate(void *user, const char *text, size_t size, size_t from, size_t to)
{
    size_t length = strlen(candidates);
    (void)user;
    (void)snprintf(candidates + length, sizeof candidates - length, "%.*s %zu-%zu\n", (int)size, text,
                   from, to);
}

static const char *complete(struct console *console, const char *text, size_t point)
{
    candidates[0] = '\0';
    EQ_INT(tutti_repl_complete(console->repl, text, strlen(text), point, on_candidate), TUTTI_OK, text);
    return candidates;
}

static void test_complete(struct host *host)
{
    struct console it;
    console_open(&it, host, "tab", 0);
    EQ_INT(evaluate(&it, "local kept_one, kept_two = {}, { field = 1 }"), TUTTI_REPL_VALUES, "locals");
    EQ_STR(complete(&it, "1 + kept_", 9), "kept_one 4-9\nkept_two 4-9\n", "all there are");
    EQ_STR(complete(&it, "kept_two.fi .. x", 11), "field 9-11\n", "what is behind the cursor stays");
    EQ_STR(complete(&it, "no_such_name_", 13), "", "none");
    EQ_STR(complete(&it, ":compl_", 7), "", "no command");
    OK(strstr(complete(&it, "", 0), "kept_one 0-0\n") != NULL, "of an empty text");
    EQ_INT(tutti_repl_complete(it.repl, "x", 1, 2, on_candidate), TUTTI_EINVAL, "behind the end");
    EQ_INT(tutti_repl_complete(it.repl, NULL, 1, 0, on_candidate), TUTTI_EINVAL, "no text");
    EQ_INT(tutti_repl_complete(it.repl, "x", 1, 1, NULL), TUTTI_EINVAL, "nobody to tell");
    EQ_INT(tutti_repl_complete(NULL, "x", 1, 1, on_candidate), TUTTI_EINVAL, "no prompt");
    EQ_INT(tutti_repl_free(it.repl), TUTTI_OK, "freed");
}

/* ---- outcomes ------------------------------------------------------------------------------- */

static void test_outcomes(struct host *host)
{
    struct console it;
    console_open(&it, host, "game", 0);
    EQ_INT(evaluate(&it, "1 + 2"), TUTTI_REPL_VALUES, "an expression");
    EQ_STR(it.seen[TUTTI_REPL_TEXT_VALUE], "3\n", "and its value");
    EQ_INT(evaluate(&it, "local kept = 40"), TUTTI_REPL_VALUES, "a statement");
    EQ_INT(evaluate(&it, "kept + 2"), TUTTI_REPL_VALUES, "its local lives on");
    OK(strstr(it.seen[TUTTI_REPL_TEXT_VALUE], "42\n") != NULL, "with its value");
    EQ_INT(evaluate(&it, "for i = 1, 2 do"), TUTTI_REPL_INCOMPLETE, "an unfinished chunk");
    EQ_INT(evaluate(&it, ""), TUTTI_REPL_VALUES, "nothing");
    EQ_INT(evaluate(&it, "x ="), TUTTI_REPL_INCOMPLETE, "an unfinished statement");
    EQ_INT(evaluate(&it, "x = = 1"), TUTTI_REPL_ERROR, "a syntax error");
    OK(strstr(it.seen[TUTTI_REPL_TEXT_ERROR], "(game ") != NULL, "whose place has the prompt's name");
    EQ_INT(evaluate(&it, "error('bad thing')"), TUTTI_REPL_ERROR, "an error");
    OK(strstr(it.seen[TUTTI_REPL_TEXT_ERROR], "bad thing") != NULL, "and its message");
    EQ_INT(evaluate(&it, "tutti.sleep(0.01) return 'slept'"), TUTTI_REPL_VALUES, "an await at top level");
    EQ_INT(evaluate(&it, "tutti.parallel(function() return 'far' end):await()"), TUTTI_REPL_VALUES,
           "the pool");
    OK(strstr(it.seen[TUTTI_REPL_TEXT_VALUE], "far") != NULL, "has answered");
    EQ_INT(evaluate(&it, "tutti.sleep(0.01) &"), TUTTI_REPL_RUNNING, "in the background");
    OK(wait_text(&it, TUTTI_REPL_TEXT_REPORT, " done ("), "its end is reported");
    EQ_INT(evaluate(&it, ":help"), TUTTI_REPL_COMMAND, "a command");
    EQ_INT(tutti_repl_free(it.repl), TUTTI_OK, "freed");
}

static void test_bytes(struct host *host)
{
    struct console it;
    console_open(&it, host, NULL, TUTTI_REPL_OWN_PRINT);
    EQ_INT(tutti_repl_feed(it.repl, "return #'a\0b'", 13), TUTTI_OK, "a text with a zero in it");
    EQ_INT(wait_done(&it, 1), TUTTI_REPL_VALUES, "is evaluated");
    EQ_STR(it.seen[TUTTI_REPL_TEXT_VALUE], "3\n", "to its end");
    EQ_INT(tutti_repl_feed(it.repl, NULL, 0), TUTTI_OK, "an empty text");
    EQ_INT(wait_done(&it, 2), TUTTI_REPL_VALUES, "has no values");
    EQ_INT(evaluate(&it, "print('a', nil, 1)"), TUTTI_REPL_VALUES, "print");
    EQ_STR(it.seen[TUTTI_REPL_TEXT_PRINT], "a\tnil\t1\n", "is the prompt's own");
    EQ_INT(tutti_repl_free(it.repl), TUTTI_OK, "freed");
}

static void test_order(struct host *host)
{
    struct console a, b;
    console_open(&a, host, "a", 0);
    console_open(&b, host, "b", 0);
    feed(&a, "tutti.sleep(0.02) x = 'slow'");
    feed(&a, "x");
    feed(&b, "local x = 'other' return x");
    EQ_INT(wait_done(&b, 1), TUTTI_REPL_VALUES, "another prompt does not wait");
    EQ_INT(wait_done(&a, 2), TUTTI_REPL_VALUES, "two texts of one prompt");
    EQ_STR(a.seen[TUTTI_REPL_TEXT_VALUE], "slow\n", "one after the other");
    a.feed_in_done = "1 + 1";
    EQ_INT(evaluate(&a, "x = nil"), TUTTI_REPL_VALUES, "a text");
    EQ_INT(wait_done(&a, 4), TUTTI_REPL_VALUES, "and one that done has fed");
    EQ_INT(tutti_repl_free(a.repl), TUTTI_OK, "freed");
    EQ_INT(evaluate(&b, "x"), TUTTI_REPL_VALUES, "the other one goes on");
    EQ_INT(tutti_repl_free(b.repl), TUTTI_OK, "freed as well");
}

/* ---- Ctrl-C --------------------------------------------------------------------------------- */

static void interrupt(void *user)
{
    struct console *console = (struct console *)user;
    EQ_INT(tutti_repl_interrupt(console->repl), TUTTI_OK, "interrupted by a post");
}

static void *interrupt_later(void *user)
{
    static const struct timespec pause = { .tv_nsec = 20000000 };
    struct console *console = (struct console *)user;
    nanosleep(&pause, NULL);
    EQ_INT(tutti_post_urgent(console->host->engine, interrupt, console), TUTTI_OK, "posted by a thread");
    return NULL;
}

static void test_interrupt(struct host *host)
{
    struct console it;
    console_open(&it, host, "i", 0);
    EQ_INT(tutti_repl_interrupt(it.repl), TUTTI_EAGAIN, "nothing to interrupt");
    feed(&it, "must_not_run = true");
    EQ_INT(tutti_repl_interrupt(it.repl), TUTTI_OK, "a text that has not begun");
    EQ_INT(wait_done(&it, 1), TUTTI_REPL_ERROR, "does not run");
    EQ_INT(lua_getglobal(host->L, "must_not_run"), LUA_TNIL, "at all");
    lua_pop(host->L, 1);
    EQ_STR(it.seen[TUTTI_REPL_TEXT_ERROR], "cancelled: interrupted (Ctrl-C)\n", "and says so");
    EQ_INT(evaluate(&it, "background = tutti.sleep(60) &"), TUTTI_REPL_RUNNING, "one in the background");
    EQ_INT(evaluate(&it, "child = tutti.spawn(function() tutti.sleep(60) end)"), TUTTI_REPL_VALUES,
           "one whose child goes on");
    feed(&it, "waits = true; tutti.sleep(60)");
    feed(&it, "'next'");
    for (int type = LUA_TNIL; type == LUA_TNIL; lua_pop(host->L, 1)) {
        frame(host);
        type = lua_getglobal(host->L, "waits");
    }
    EQ_INT(tutti_repl_interrupt(it.repl), TUTTI_OK, "a text that sleeps is interrupted");
    EQ_INT(wait_done(&it, 4), TUTTI_REPL_ERROR, "and ends");
    EQ_INT(wait_done(&it, 5), TUTTI_REPL_VALUES, "the next one runs");
    EQ_INT(evaluate(&it, "child:state()"), TUTTI_REPL_VALUES, "what goes on");
    OK(strstr(it.seen[TUTTI_REPL_TEXT_VALUE], "suspended") != NULL, "has not been touched");
    OK(strstr(it.seen[TUTTI_REPL_TEXT_REPORT], "cancelled") == NULL, "nor the background");
    if (HAS_SIGNALS) {
        pthread_t thread;
        feed(&it, "while true do end");
        REQUIRE(pthread_create(&thread, NULL, interrupt_later, &it) == 0, "a thread");
        EQ_INT(wait_done(&it, 7), TUTTI_REPL_ERROR, "a loop without end ends by a post");
        pthread_join(thread, NULL);
    }
    EQ_INT(tutti_repl_free(it.repl), TUTTI_OK, "freed while two go on");
}

/* ---- its end -------------------------------------------------------------------------------- */

static int count_live(struct host *host)
{
    REQUIRE(luaL_dostring(host->L, "return tutti.stats().live") == LUA_OK, "the count of tasks");
    int live = (int)lua_tointeger(host->L, -1);
    lua_pop(host->L, 1);
    return live;
}

static void test_free(struct host *host)
{
    struct console it;
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int before = -1; before != count_live(host);) { /* what earlier prompts ran ends */
        before = count_live(host);
        frame(host);
    }
    console_open(&it, host, "f", 0);
    feed(&it, "tutti.spawn(function() tutti.sleep(60) end) tutti.sleep(60)");
    feed(&it, "while true do end");
    EQ_INT(tutti_repl_free(it.repl), TUTTI_OK, "freed before anything has run: nothing ever does");
    console_open(&it, host, "f", 0);
    EQ_INT(evaluate(&it, "tutti.sleep(60) &"), TUTTI_REPL_RUNNING, "in the background");
    feed(&it, "tutti.spawn(function() tutti.sleep(60) end) tutti.sleep(60)");
    feed(&it, "'never'");
    frame(host);
    EQ_INT(tutti_repl_free(it.repl), TUTTI_OK, "freed while much goes on");
    memset(it.seen, 0, sizeof it.seen);
    while (count_live(host) > 0 && !is_late(start))
        frame(host);
    EQ_INT(count_live(host), 0, "all of it has ended");
    EQ_INT(it.done_count, 1, "done is not told any more");
    for (int i = 0; i < 4; i++)
        EQ_STR(it.seen[i], "", "nor is anything written");
    console_open(&it, host, "f", 0);
    it.free_in_write = true;
    feed(&it, "'one'");
    OK(wait_text(&it, TUTTI_REPL_TEXT_VALUE, "one"), "written");
    console_open(&it, host, "f", 0);
    it.free_in_done = true;
    EQ_INT(evaluate(&it, "'two'"), TUTTI_REPL_VALUES, "done");
    frame(host);
    EQ_INT(tutti_repl_free(NULL), TUTTI_OK, "nothing to free");
}

/* ---- wrong use ------------------------------------------------------------------------------ */

static void *use_elsewhere(void *user)
{
    struct console *console = (struct console *)user;
    tutti_repl_config config = { .struct_size = sizeof config, .write = on_write };
    tutti_repl *repl = NULL;
    EQ_INT(tutti_repl_new(console->host->L, &config, &repl), TUTTI_EINVAL, "new on another thread");
    EQ_INT(tutti_repl_feed(console->repl, "1", 1), TUTTI_EINVAL, "feed on another thread");
    EQ_INT(tutti_repl_interrupt(console->repl), TUTTI_EINVAL, "interrupt on another thread");
    EQ_INT(tutti_repl_free(console->repl), TUTTI_EINVAL, "free on another thread");
    return NULL;
}

static void test_wrong(struct host *host)
{
    struct console it;
    pthread_t thread;
    tutti_repl *repl = NULL;
    tutti_repl_config config = { .struct_size = sizeof config, .done = on_done };
    EQ_INT(tutti_repl_new(host->L, &config, &repl), TUTTI_EINVAL, "no write");
    EQ_INT(tutti_repl_new(host->L, NULL, &repl), TUTTI_EINVAL, "no config");
    config.write = on_write, config.flags = 1u << 30;
    EQ_INT(tutti_repl_new(host->L, &config, &repl), TUTTI_EINVAL, "an unknown flag");
    config.flags = 0, config.struct_size = sizeof config + 8;
    EQ_INT(tutti_repl_new(host->L, &config, &repl), TUTTI_EINVAL, "a config of a later header");
    config.struct_size = offsetof(tutti_repl_config, columns);
    EQ_INT(tutti_repl_new(host->L, &config, &repl), TUTTI_OK, "a config that ends early");
    EQ_INT(tutti_repl_free(repl), TUTTI_OK, "freed");
    lua_State *alone = luaL_newstate();
    EQ_INT(tutti_repl_new(alone, &config, &repl), TUTTI_EINVAL, "a state without an engine");
    lua_close(alone);
    console_open(&it, host, "w", 0);
    REQUIRE(pthread_create(&thread, NULL, use_elsewhere, &it) == 0, "a thread");
    pthread_join(thread, NULL);
    EQ_INT(evaluate(&it, "1"), TUTTI_REPL_VALUES, "it still works");
    EQ_INT(tutti_repl_free(it.repl), TUTTI_OK, "freed");
}

static void test_closed(void)
{
    struct host host;
    struct console it, other;
    host_open(&host);
    console_open(&it, &host, "c", 0);
    console_open(&other, &host, "c", 0);
    feed(&it, "tutti.sleep(60)");
    frame(&host);
    EQ_INT(tutti_repl_free(other.repl), TUTTI_OK, "freed just before the state is closed");
    lua_close(host.L);
    EQ_INT(tutti_repl_feed(it.repl, "1", 1), TUTTI_EINVAL, "no feed when the state has been closed");
    EQ_INT(tutti_repl_interrupt(it.repl), TUTTI_EINVAL, "no interrupt");
    EQ_INT(tutti_repl_free(it.repl), TUTTI_OK, "freed after the state");
    EQ_INT(tutti_engine_free(host.engine), TUTTI_OK, "the engine ends");
}

static int l_is_done(lua_State *L)
{
    const struct console *console = (const struct console *)lua_touserdata(L, lua_upvalueindex(1));
    lua_pushboolean(L, console->done_count > 0);
    return 1;
}

/* The chunk lasts until the prompt's text is done. */
static void test_run(struct host *host)
{
    struct console it;
    int status = -1;
    console_open(&it, host, "r", 0);
    feed(&it, "tutti.sleep(0.01) return 'by run'");
    lua_pushlightuserdata(host->L, &it);
    lua_pushcclosure(host->L, l_is_done, 1);
    lua_setglobal(host->L, "is_done");
    EQ_INT(luaL_loadstring(host->L, "while not is_done() do tutti.sleep(0.001) end"), LUA_OK, "a chunk");
    EQ_INT(tutti_lua_run(host->L, "chunk", 0, &status), TUTTI_OK, "tutti_lua_run ends with a prompt open");
    EQ_INT(status, 0, "with status 0");
    EQ_STR(it.seen[TUTTI_REPL_TEXT_VALUE], "by run\n", "and has run its text");
    EQ_INT(tutti_repl_free(it.repl), TUTTI_OK, "freed");
}

int main(void)
{
    struct host host;
    TAP_BEGIN();
    host_open(&host);
    test_outcomes(&host);
    test_complete(&host);
    test_bytes(&host);
    test_order(&host);
    test_interrupt(&host);
    test_wrong(&host);
    test_run(&host);
    host_close(&host);
    host_open(&host);
    test_free(&host);
    host_close(&host);
    test_closed();
    return TAP_END();
}
