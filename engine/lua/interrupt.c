/* SPDX-License-Identifier: MIT */
/*
 * interrupt.c - see interrupt.h.
 *
 * Layer: lua. Thread: the state's home; what is marked so runs in a signal handler of it.
 * Invariant: of a user's hook that the count hook has displaced there is a note until it is put back.
 */
#include "lua/interrupt.h"

#include <string.h>

#include "lua/scope.h"
#include "lua/sources.h"
#include "lua/stuck.h"
#include "lua/world.h"

/* How long a cancelled task may run on before the hook raises in it, if nobody else has a reason to; and
 * how long its cleanup may. */
static const uint64_t soon_ns = UINT64_C(50000000);
static const uint64_t cleanup_ns = UINT64_C(1000000000);

/* Instructions between two looks: of the permanent hook, and of one that came inside tutti's own Lua. */
enum { EVERY_PERMANENT = 1000, EVERY_INSIDE = 100 };

static void on_event(lua_State *L, lua_Debug *ar);

/* ---- the user's own hooks ----------------------------------------------------------------- */

static struct tutti__hook_note *find_note(struct tutti__lua *lua, const lua_State *co)
{
    for (int i = 0; i < TUTTI__HOOK_NOTES; i++) {
        if (lua->hook_notes[i].co == co)
            return &lua->hook_notes[i];
    }
    return NULL;
}

/* Also in the signal handler. Returns: false: a hook stands there and there is no place to note it. */
static bool displace_hook(struct tutti__lua *lua, lua_State *co)
{
    lua_Hook hook = lua_gethook(co);
    if (hook == NULL || hook == on_event)
        return true;
    struct tutti__hook_note *note = find_note(lua, co);
    if (note == NULL)
        note = find_note(lua, NULL);
    if (note == NULL)
        return false;
    *note = (struct tutti__hook_note){ co, hook, lua_gethookmask(co), lua_gethookcount(co) };
    return true;
}

/* Without notes: the hook that a body begins with. */
static void put_back_hook(struct tutti__lua *lua, lua_State *co)
{
    struct tutti__hook_note *note = find_note(lua, co);
    if (lua->has_permanent_hook) {
        int mask = note == NULL ? 0 : note->mask;
        lua_sethook(co, on_event, mask | LUA_MASKCOUNT, EVERY_PERMANENT);
        return;
    }
    if (note == NULL) {
        lua_sethook(co, NULL, 0, 0);
        return;
    }
    struct tutti__hook_note old = *note;
    note->co = NULL; /* before: the handler may come in between, and note it anew */
    lua_sethook(co, old.hook, old.mask, old.count);
}

/* The event is one that the user's displaced hook wants to see. */
static void forward_event(lua_State *L, struct tutti__lua *lua, lua_Debug *ar)
{
    const struct tutti__hook_note *note = find_note(lua, L);
    if (note != NULL && (note->mask & (1 << ar->event)) != 0)
        note->hook(L, ar);
}

/* ---- arming ------------------------------------------------------------------------------- */

void tutti__interrupt_arm(struct tutti__lua *lua, lua_State *co)
{
    if (!displace_hook(lua, co))
        return; /* it comes again */
    const struct tutti__hook_note *note = find_note(lua, co);
    int mask = note == NULL ? 0 : note->mask;
    lua_sethook(co, on_event, mask | LUA_MASKCOUNT, 1);
}

/* Runs in the signal handler. */
static void arm_running(struct tutti__watched *watched)
{
    struct tutti__lua *lua =
        (struct tutti__lua *)(void *)((char *)watched - offsetof(struct tutti__lua, watched));
    /* relaxed: this thread's own. */
    lua_State *co = TUTTI_LOAD(&lua->running, relaxed);
    if (co != NULL && !lua->is_hook_busy)
        tutti__interrupt_arm(lua, co);
}

/* ---- inside the hook ---------------------------------------------------------------------- */

/* An error in the middle of tutti's own Lua would leave its tables half written. */
static bool is_own_code(lua_State *L, lua_Debug *ar)
{
    if (!lua_getinfo(L, "S", ar) || strncmp(ar->source, "@tutti/", strlen("@tutti/")) != 0)
        return false;
    for (const struct tutti__lua_source *source = tutti__lua_sources; source->name != NULL; source++) {
        if (strcmp(source->name, ar->source) == 0)
            return true;
    }
    return false;
}

/* Take what the watchdog asks. */
static uint32_t take_wishes(struct tutti__lua *lua)
{
    struct tutti__watched *watched = &lua->watched;
    /* relaxed: posts are taken by an exchange of their own; `taken` only tells the dog that it was heard. */
    uint32_t asked = TUTTI_FETCH_AND(&watched->asked, ~(uint32_t)TUTTI__ASK_WISHES, relaxed);
    TUTTI_STORE(&watched->taken, TUTTI_LOAD(&watched->taken, relaxed) + 1, relaxed);
    return asked;
}

/* Is the cleanup still in its time? Then the hook comes again at its end. */
static bool is_cleaning_up(struct tutti__lua *lua)
{
    if ((tutti__cancel_source(lua->current)->flags & RECORD_TOLD) == 0)
        return false;
    uint64_t now_ns = tutti__bridge_now_ns(lua->engine);
    if (lua->raise_ns == 0)
        lua->raise_ns = now_ns + cleanup_ns;
    if (now_ns >= lua->raise_ns)
        return false;
    tutti__interrupt_deadline(lua, lua->raise_ns);
    return true;
}

static void raise_live(lua_State *L, struct tutti__lua *lua)
{
    if (!tutti__cancel_is_due(lua) || is_cleaning_up(lua))
        return;
    if (lua->raise_ns != 0) {
        lua->is_cleanup_over = true;
        tutti__interrupt_arm(lua, L); /* and again at the next instruction, until it has ended */
    }
    tutti__checkpoint(L, lua);
}

static bool do_others_wait(const struct tutti__lua *lua)
{
    /* Which timers and descriptors wait for the loop nobody knows before it has looked.
     * relaxed: a hint; what came by the inbox is taken by the home. */
    return !lua->is_worker || !tutti__ready_is_empty(lua) ||
           TUTTI_LOAD(&lua->home->inbox, relaxed) != NULL;
}

/* Let others have the turn: the task goes to the back of the queue in the middle of its Lua code. */
static void give_turn(lua_State *L, struct tutti__lua *lua)
{
    struct tutti__record *record = lua->current;
    if (!lua->watched.is_sliced || record == NULL || L != record->co || !lua_isyieldable(L) ||
        !do_others_wait(lua))
        return;
    tutti__ready_push(lua, record);
    lua->has_given_turn = true;
    (void)lua_yield(L, 0);
}

static void note_deadlines(struct tutti__lua *lua, uint64_t after_ns)
{
    const struct tutti__record *at = lua->current == NULL ? NULL : lua->current->scope;
    for (; at != NULL; at = tutti__scope_of(at)->below) {
        uint64_t deadline_ns = tutti__scope_of(at)->deadline_ns;
        if (deadline_ns > after_ns && (at->flags & RECORD_CANCEL) == 0)
            tutti__interrupt_deadline(lua, deadline_ns);
    }
}

static void expire_deadlines(lua_State *L, struct tutti__lua *lua)
{
    uint64_t now_ns = tutti__bridge_now_ns(lua->engine);
    /* relaxed: this thread's own. What is not due yet is noted again. */
    TUTTI_STORE(&lua->watched.deadline_ns, 0, relaxed);
    tutti__scope_expire(L, lua, now_ns);
    note_deadlines(lua, now_ns);
}

/* Returns: what was asked. Raises the task's live cancellation. */
static uint32_t do_wishes(lua_State *L, struct tutti__lua *lua)
{
    uint32_t asked = take_wishes(lua);
    if (lua->watched.home == lua->home)
        tutti__home_take_urgent(lua->home);
    else
        tutti__testing_hear(lua);
    if ((asked & TUTTI__ASK_DEADLINE) != 0)
        expire_deadlines(L, lua);
    raise_live(L, lua);
    return asked;
}

static void on_event(lua_State *L, lua_Debug *ar)
{
    struct tutti__lua *lua = tutti__lua_find(L);
    if (ar->event != LUA_HOOKCOUNT) {
        forward_event(L, lua, ar);
        return;
    }
    if (lua->has_permanent_hook && TUTTI_LOAD(&lua->watched.asked, relaxed) == 0 &&
        !lua->is_cleanup_over) {
        forward_event(L, lua, ar);
        return;
    }
    if (is_own_code(L, ar)) {
        lua_sethook(L, on_event, lua_gethookmask(L), EVERY_INSIDE);
        return;
    }
    lua->is_hook_busy = true;
    put_back_hook(lua, L);
    lua->is_hook_busy = false;
    if ((do_wishes(L, lua) & TUTTI__ASK_SLICE) != 0)
        give_turn(L, lua);
}

void tutti__interrupt_look(lua_State *L, struct tutti__lua *lua)
{
    /* relaxed: as in enter. A slice that is asked for stays so: here the turn cannot be given. */
    if ((TUTTI_LOAD(&lua->watched.asked, relaxed) & (TUTTI__ASK_POSTS | TUTTI__ASK_DEADLINE)) != 0)
        (void)do_wishes(L, lua);
}

/* ---- turns -------------------------------------------------------------------------------- */

static void count_turn(struct tutti__lua *lua)
{
    /* relaxed: the watchdog compares it with what it read a while ago; it reads nothing by it. */
    uint32_t turn = TUTTI_LOAD(&lua->watched.turn, relaxed);
    TUTTI_STORE(&lua->watched.turn, turn + 1, relaxed);
}

void tutti__interrupt_begin(struct tutti__lua *lua)
{
    struct tutti__watched *watched = &lua->watched;
    /* All relaxed: hints for the dog, which looks again after some milliseconds. */
    TUTTI_STORE(&watched->deadline_ns, 0, relaxed);
    lua->raise_ns = 0;
    lua->is_cleanup_over = false;
    count_turn(lua); /* before the deadlines: those of a state that is not busy nobody looks at */
    if (watched->is_sliced) {
        TUTTI_STORE(&watched->has_others, 0, relaxed);
        if (do_others_wait(lua))
            tutti__interrupt_others(lua);
    }
    if (tutti__cancel_is_due(lua))
        tutti__interrupt_live(lua);
    note_deadlines(lua, 0);
}

void tutti__interrupt_end(struct tutti__lua *lua)
{
    count_turn(lua);
    if (!lua->is_worker)
        TUTTI_STORE(&lua->watched.has_others, 0, relaxed); /* as in begin: the loop looks by itself now */
    /* relaxed: a slot that is lent after this is taken back at the end of the next turn. */
    if ((TUTTI_LOAD(&lua->watched.asked, relaxed) & TUTTI__ASK_TAKE_BACK) != 0)
        tutti__watchdog_take_back(&lua->watched);
}

void tutti__interrupt_deadline(struct tutti__lua *lua, uint64_t deadline_ns)
{
    struct tutti__watched *watched = &lua->watched;
    if (watched->dog == NULL || watched->home != lua->home)
        return; /* not watched, or in a world of its own (testing.c) */
    /* relaxed: the fence is in alert_by. */
    uint64_t nearest_ns = TUTTI_LOAD(&watched->deadline_ns, relaxed);
    if (nearest_ns != 0 && nearest_ns <= deadline_ns)
        return;
    TUTTI_STORE(&watched->deadline_ns, deadline_ns, relaxed);
    tutti__watchdog_alert_by(watched->dog, deadline_ns);
}

void tutti__interrupt_live(struct tutti__lua *lua)
{
    if (lua->watched.dog == NULL)
        return;
    uint64_t now_ns = tutti__bridge_now_ns(lua->engine);
    bool was_told = (tutti__cancel_source(lua->current)->flags & RECORD_TOLD) != 0;
    lua->is_cleanup_over = false;
    lua->raise_ns = was_told ? now_ns + cleanup_ns : 0;
    tutti__interrupt_deadline(lua, now_ns + (was_told ? cleanup_ns : soon_ns));
}

void tutti__interrupt_raised(struct tutti__lua *lua, struct tutti__record *source)
{
    bool was_told = (source->flags & RECORD_TOLD) != 0;
    source->flags |= RECORD_TOLD;
    if (lua->watched.dog == NULL || lua->is_cleanup_over || (was_told && lua->raise_ns != 0))
        return; /* a loop that swallows what checkpoints raise does not put it off */
    lua->raise_ns = tutti__bridge_now_ns(lua->engine) + cleanup_ns;
    tutti__interrupt_deadline(lua, lua->raise_ns);
}

/* ---- life --------------------------------------------------------------------------------- */

void tutti__interrupt_prepare(struct tutti__lua *lua, lua_State *co)
{
    struct tutti__hook_note *note = find_note(lua, co);
    if (note != NULL)
        note->co = NULL;
    if (lua_gethook(co) != NULL || lua->has_permanent_hook)
        put_back_hook(lua, co);
}

void tutti__interrupt_open(struct tutti__lua *lua)
{
    uint32_t preempt = tutti__bridge_preempt(lua->engine);
    if (preempt == TUTTI_PREEMPT_NONE || (preempt == TUTTI_PREEMPT_HOOK && !lua->is_worker))
        return;
    lua->watched.arm = arm_running;
    lua->watched.describe = tutti__stuck_describe;
    lua->watched.is_sliced = lua->is_worker;
    bool is_watched = tutti__bridge_watch_state(lua->engine, &lua->watched);
    lua->has_permanent_hook = is_watched && preempt == TUTTI_PREEMPT_HOOK;
}

void tutti__interrupt_share(struct tutti__lua *lua)
{
    if (lua->watched.dog == NULL || lua->watched.is_sliced)
        return;
    tutti__bridge_unwatch_state(lua->engine, &lua->watched);
    lua->watched.is_sliced = true; /* the watchdog reads it while it watches */
    (void)tutti__bridge_watch_state(lua->engine, &lua->watched);
}

void tutti__interrupt_close(struct tutti__lua *lua)
{
    tutti__bridge_unwatch_state(lua->engine, &lua->watched);
}

/* ---- debug.sethook ------------------------------------------------------------------------ */

/* debug.sethook([thread,] [hook, mask [, count]]) of states of the engine's: upvalue 2 is Lua's. What is
 * armed stays armed; in a state with a permanent hook that one passes on what it sees.   [-n, +0, e] */
static int l_sethook(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    lua_State *co = lua_isthread(L, 1) ? lua_tothread(L, 1) : L;
    bool is_armed = lua_gethook(co) == on_event;
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_insert(L, 1);
    lua->is_hook_busy = true;
    struct tutti__hook_note *note = find_note(lua, co);
    if (note != NULL)
        note->co = NULL;
    lua->is_hook_busy = false;
    lua_call(L, lua_gettop(L) - 1, 0);
    if (is_armed || lua->has_permanent_hook) {
        lua->is_hook_busy = true;
        tutti__interrupt_arm(lua, co);
        /* relaxed: as enter. A loop of this function must not always begin to count anew. */
        if (lua->has_permanent_hook && TUTTI_LOAD(&lua->watched.asked, relaxed) == 0)
            put_back_hook(lua, co);
        lua->is_hook_busy = false;
    }
    return 0;
}

void tutti__interrupt_replace_sethook(lua_State *L, struct tutti__lua *lua)
{
    if (lua_getglobal(L, "debug") == LUA_TTABLE) {
        lua_pushlightuserdata(L, lua);
        lua_getfield(L, -2, "sethook");
        lua_pushcclosure(L, l_sethook, 2);
        lua_setfield(L, -2, "sethook");
    }
    lua_pop(L, 1);
}

/* ---- core --------------------------------------------------------------------------------- */

/* core.share_turns(): tutti__interrupt_share   [-0, +0, -] */
static int l_share_turns(lua_State *L)
{
    tutti__interrupt_share(tutti__lua_of(L));
    return 0;
}

const luaL_Reg tutti__interrupt_functions[] = {
    { "share_turns", l_share_turns },
    { NULL, NULL },
};
