/* SPDX-License-Identifier: MIT */
/*
 * cycle.c - see cycle.h: the graph of a state's waits, taken from its records, and the end of a circle.
 *
 * Only what waits for tasks is an edge. Sleeps, channels, files and the like can go on by themselves, and so
 * does a task with a time limit on its own stack.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: a record has RECORD_SUSPECT exactly while it is in the list of suspects.
 */
#include "lua/cycle.h"

#include <stdlib.h>
#include <string.h>

#include "lua/circle.h"
#include "lua/door.h"
#include "lua/scope.h"
#include "lua/tree.h"
#include "lua/worker.h"

/* A look comes so long after the wait, and takes at most so small a part of the time: while tasks are ready
 * it is given up beyond so many records, and the next one may take in twice as many. */
static const uint64_t delay_ns = UINT64_C(100000000);
enum { PART_OF_TIME = 50, SUSPECTS_FIRST = 16, YOUNG_MS = 50, RECORDS_FIRST = 4096 };

/* ---- the alarm ---------------------------------------------------------------------------- */

/* A sleep of the engine, which ends in a post here. Lives until the post has run. */
struct tutti__alarm {
    struct tutti__watch watch;
    tutti_task *sleep;
    struct tutti__lua *lua; /* [home] NULL: the state is gone */
};

static int look(lua_State *L);

static void on_alarm(struct tutti__post *post)
{
    struct tutti__alarm *alarm =
        (struct tutti__alarm *)(void *)((char *)post - offsetof(struct tutti__watch, post));
    struct tutti__lua *lua = alarm->lua;
    const tutti_value *value = NULL;
    bool is_over = tutti_task_result(alarm->sleep, &value) == TUTTI_OK;
    tutti_task_unref(alarm->sleep);
    free(alarm);
    if (lua == NULL)
        return;
    lua->cycle.alarm = NULL;
    if (is_over)
        (void)tutti__door(lua, look, lua);
}

/* No look is needed: what was to come for it comes as a sleep that was cancelled. */
static void calm(struct tutti__lua *lua)
{
    lua->cycle.suspect_count = 0; /* all have settled: nothing is left that has not */
    if (lua->cycle.alarm == NULL)
        return;
    lua->cycle.alarm->lua = NULL;
    (void)tutti_task_cancel(lua->cycle.alarm->sleep);
    lua->cycle.alarm = NULL;
}

void tutti__cycle_watch(struct tutti__lua *lua)
{
    if (lua->cycle.suspect_count == 0 && lua->cycle.alarm == NULL)
        return;
    if (lua->root->child_first == NULL)
        calm(lua);
    if (lua->cycle.suspect_count == 0 || lua->cycle.alarm != NULL || lua->closing)
        return;
    struct tutti__alarm *alarm = (struct tutti__alarm *)calloc(1, sizeof *alarm);
    uint64_t wanted_ns = lua->cycle.cost_ns * PART_OF_TIME;
    if (alarm == NULL)
        return; /* the next that runs here tries again */
    if (tutti_sleep(lua->engine, wanted_ns > delay_ns ? wanted_ns : delay_ns, &alarm->sleep) != TUTTI_OK) {
        free(alarm);
        return;
    }
    alarm->lua = lua;
    alarm->watch.post.fn = on_alarm;
    alarm->watch.home = lua->home;
    lua->cycle.alarm = alarm;
    if (!tutti__bridge_watch(alarm->sleep, &alarm->watch))
        tutti__home_post(lua->home, &alarm->watch.post);
}

/* ---- suspects ----------------------------------------------------------------------------- */

static struct tutti__record *suspect_at(const struct tutti__lua *lua, uint32_t i)
{
    struct tutti__record *record = lua->slots[lua->cycle.suspects[i].slot];
    bool is_same = record != NULL && tutti__record_id(record) == lua->cycle.suspects[i].id;
    return is_same && !tutti__record_is_settled(record) ? record : NULL;
}

/* Drop those that have settled. */
static void compact(struct tutti__lua *lua)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < lua->cycle.suspect_count; i++) {
        if (suspect_at(lua, i) != NULL)
            lua->cycle.suspects[kept++] = lua->cycle.suspects[i];
    }
    lua->cycle.suspect_count = kept;
}

static bool have_room(struct tutti__lua *lua)
{
    if (lua->cycle.suspect_count < lua->cycle.suspect_size)
        return true;
    compact(lua);
    if (lua->cycle.suspect_count < lua->cycle.suspect_size / 2)
        return true;
    uint32_t size = lua->cycle.suspect_size == 0 ? SUSPECTS_FIRST : lua->cycle.suspect_size * 2;
    struct tutti__suspect *suspects =
        (struct tutti__suspect *)realloc(lua->cycle.suspects, size * sizeof *suspects);
    if (suspects == NULL)
        return false;
    lua->cycle.suspects = suspects;
    lua->cycle.suspect_size = size;
    return true;
}

void tutti__cycle_suspect(struct tutti__lua *lua, struct tutti__record *record, bool waits_now)
{
    struct tutti__circles *circles = tutti__shared_circles(lua->engine);
    if (circles == NULL || record->slot == 0)
        return;
    /* relaxed: only the numbers themselves are compared. */
    if (waits_now && record->kind == RECORD_LOCAL && (record->flags & RECORD_JOINING) == 0)
        record->wait = TUTTI_FETCH_ADD(&circles->begun, 1u, relaxed) + 1u;
    if ((record->flags & RECORD_SUSPECT) != 0 || !have_room(lua))
        return;
    record->flags |= RECORD_SUSPECT;
    lua->cycle.suspects[lua->cycle.suspect_count++] =
        (struct tutti__suspect){ tutti__record_id(record), record->slot, tutti__tick_ms(lua) };
    tutti__cycle_watch(lua);
}

/* ---- the graph ---------------------------------------------------------------------------- */

struct collector {
    struct tutti__lua *lua;
    struct tutti__waits *waits;
    uint32_t *node_of;              /* slot -> node + 1 */
    struct tutti__record **records; /* node -> record */
    uint32_t records_size;
    uint32_t most; /* of them */
    uint32_t now_ms;
};

static uint32_t node_for(struct collector *c, struct tutti__record *record)
{
    if (c->node_of[record->slot] != 0)
        return c->node_of[record->slot] - 1;
    if (c->waits->node_count >= c->most) {
        c->waits->is_short = true;
        return TUTTI__NO_NODE;
    }
    if (c->waits->node_count == c->records_size) {
        uint32_t size = c->records_size == 0 ? 64 : c->records_size * 2;
        struct tutti__record **records =
            (struct tutti__record **)realloc((void *)c->records, size * sizeof *records);
        if (records == NULL) {
            c->waits->is_short = true;
            return TUTTI__NO_NODE;
        }
        c->records = records;
        c->records_size = size;
    }
    uint32_t node = tutti__waits_add_node(c->waits);
    if (node == TUTTI__NO_NODE)
        return node;
    c->node_of[record->slot] = node + 1;
    c->records[node] = record;
    struct tutti__wait_node *at = &c->waits->nodes[node];
    at->task = record->task;
    at->id = tutti__record_id(record);
    at->slot = record->slot;
    return node;
}

static void add_target(struct collector *c, struct tutti__record *target)
{
    bool is_over = tutti__record_is_settled(target) || target->slot == 0;
    if (is_over || (target->kind == RECORD_REMOTE
                    && (target->task == NULL || tutti_task_is_done(target->task))))
        tutti__waits_add_edge(c->waits, TUTTI__NO_NODE, NULL);
    else if (target->kind == RECORD_REMOTE)
        tutti__waits_add_edge(c->waits, TUTTI__NO_NODE, target->task);
    else
        tutti__waits_add_edge(c->waits, node_for(c, target), NULL);
}

static void add_members(struct collector *c, struct tutti__record *record)
{
    const struct tutti__deps *deps = tutti__record_deps(record);
    for (uint32_t i = 0; i < tutti__record_deps_count(record); i++) {
        if (deps->list[i].target != NULL)
            add_target(c, deps->list[i].target);
    }
}

static void add_children(struct collector *c, struct tutti__record *record)
{
    for (struct tutti__record *child = record->child_first; child != NULL; child = child->sibling_next) {
        if ((child->flags & RECORD_BACKGROUND) == 0)
            add_target(c, child);
    }
}

static bool has_deadline(const struct tutti__record *task)
{
    for (struct tutti__record *at = task->scope; at != NULL; at = tutti__scope_of(at)->below) {
        if (tutti__scope_of(at)->deadline_ns != 0)
            return true;
    }
    return false;
}

/* A task whose coroutine is suspended. Returns WAIT_* flags. */
static uint32_t add_suspended(struct collector *c, struct tutti__record *record)
{
    struct tutti__record *scope = record->scope;
    if (record->waits_for == WAITS_FOR_NOTHING || has_deadline(record))
        return 0;
    if (scope != NULL && (scope->flags & RECORD_JOINING) != 0) {
        add_children(c, scope);
        return tutti__scope_is_strict(scope) ? WAIT_ANY : 0; /* a failure cancels the others */
    }
    struct tutti__record *target = tutti__await_target(record);
    if (target == NULL)
        return 0;
    add_target(c, target);
    return WAIT_AWAIT;
}

static uint32_t add_edges(struct collector *c, struct tutti__record *record)
{
    if (record->kind == RECORD_GATHER) {
        add_members(c, record);
        return WAIT_FAILS | (tutti__gather_needs_all(record) ? 0u : (uint32_t)WAIT_ANY);
    }
    if ((record->flags & RECORD_JOINING) != 0) {
        add_children(c, record);
        return 0;
    }
    if (record->kind != RECORD_LOCAL)
        return 0;
    if (record->state == TUTTI_TASK_WAITING) {
        add_members(c, record);
        return WAIT_FAILS | ((record->flags & RECORD_RUN_ON_SKIP) != 0 ? 0u : (uint32_t)WAIT_ANY);
    }
    return add_suspended(c, record);
}

/* A wait that has begun a moment ago may be over in the next: it is looked at the next time. */
static bool is_young(const struct collector *c, uint32_t i)
{
    return c->now_ms - c->lua->cycle.suspects[i].since_ms < YOUNG_MS;
}

/* Take in what the suspects wait for, and what that waits for. */
static void collect(struct collector *c)
{
    for (uint32_t i = 0; i < c->lua->cycle.suspect_count; i++) {
        if (!is_young(c, i))
            (void)node_for(c, suspect_at(c->lua, i));
    }
    for (uint32_t node = 0; node < c->waits->node_count && !c->waits->is_short; node++) {
        uint32_t first = c->waits->edge_count;
        uint32_t flags = add_edges(c, c->records[node]);
        struct tutti__wait_node *at = &c->waits->nodes[node];
        at->edge_first = first;
        at->edge_count = c->waits->edge_count - first;
        at->flags = flags;
        at->begun = (flags & WAIT_AWAIT) != 0 ? c->records[node]->wait : 0;
    }
}

static void add_names(lua_State *L, struct collector *c)
{
    for (uint32_t node = 0; node < c->waits->node_count; node++) {
        tutti__record_push(L, c->records[node]);
        tutti__record_push_name(L, c->records[node], -1);
        c->waits->nodes[node].name = tutti__waits_add_text(c->waits, lua_tostring(L, -1));
        lua_pop(L, 2);
    }
}

/* Forget the suspects that are not open. */
static void keep_open(struct collector *c, const bool *open)
{
    struct tutti__cycle *cycle = &c->lua->cycle;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < cycle->suspect_count; i++) {
        struct tutti__record *record = suspect_at(c->lua, i);
        if (is_young(c, i) || (open != NULL && open[c->node_of[record->slot] - 1]))
            cycle->suspects[kept++] = cycle->suspects[i];
        else
            record->flags &= ~(uint32_t)RECORD_SUSPECT;
    }
    cycle->suspect_count = kept;
}

/* Does a circle, if there is one, perhaps lead through other states? */
static bool leads_out(const struct tutti__waits *waits)
{
    bool has_port = false;
    bool has_remote = false;
    for (uint32_t i = 0; i < waits->node_count; i++)
        has_port = has_port || waits->nodes[i].task != NULL;
    for (uint32_t i = 0; i < waits->edge_count; i++)
        has_remote = has_remote || waits->edges[i].task != NULL;
    return has_port && has_remote;
}

/* ---- a look ------------------------------------------------------------------------------- */

static void on_break(struct tutti__post *post);

static void send_breaks(struct tutti__break *list)
{
    while (list != NULL) {
        struct tutti__break *next = list->next;
        list->post.fn = on_break;
        tutti__home_post(list->home, &list->post);
        list = next;
    }
}

static void judge(lua_State *L, struct collector *c, struct tutti__circles *circles)
{
    struct tutti__lua *lua = c->lua;
    struct tutti__break *found = NULL;
    bool *open = NULL;
    if (!c->waits->is_short)
        open = tutti__waits_open(c->waits);
    if (open != NULL)
        add_names(L, c);
    if (!c->waits->is_short) /* else all are looked at again */
        keep_open(c, open);
    bool whole = open != NULL && !c->waits->is_short;
    free(open);
    if (whole && leads_out(c->waits)) {
        found = tutti__circles_publish(circles, lua, c->waits);
        c->waits = NULL;
        lua->cycle.has_published = true;
    } else {
        if (lua->cycle.has_published)
            (void)tutti__circles_publish(circles, lua, NULL);
        lua->cycle.has_published = false;
        if (whole)
            found = tutti__circles_find(c->waits);
    }
    send_breaks(found);
}

/* How many records may a look take in? Others that could run meanwhile wait for its end; where nothing can
 * run, nothing does. */
static uint32_t records_most(const struct tutti__lua *lua)
{
    if (tutti__ready_is_empty(lua))
        return UINT32_MAX;
    return lua->cycle.most == 0 ? RECORDS_FIRST : lua->cycle.most;
}

/* Stack of a protected call: [1] the state's half. An error in it is of memory: then it leaks. */
static int look(lua_State *L)
{
    struct tutti__lua *lua = (struct tutti__lua *)lua_touserdata(L, 1);
    struct tutti__circles *circles = tutti__shared_circles(lua->engine);
    uint64_t began_ns = tutti__bridge_now_ns(lua->engine);
    struct collector c = { .lua = lua, .most = records_most(lua), .now_ms = (uint32_t)(began_ns / 1000000u) };
    bool has_young = false;
    compact(lua);
    c.waits = (struct tutti__waits *)calloc(1, sizeof *c.waits);
    c.node_of = (uint32_t *)calloc((size_t)lua->slots_used + 1, sizeof *c.node_of);
    if (c.waits != NULL && c.node_of != NULL) {
        c.waits->lua = lua;
        c.waits->home = lua->home;
        c.waits->taken_back = TUTTI_LOAD(&lua->cycle.taken_back, relaxed); /* written here alone */
        collect(&c);
        bool is_cut = c.waits->is_short && c.waits->node_count >= c.most;
        lua->cycle.most = !is_cut ? 0 : c.most > UINT32_MAX / 2 ? UINT32_MAX : c.most * 2;
        judge(L, &c, circles);
    }
    tutti__waits_free(c.waits);
    free(c.node_of);
    free((void *)c.records);
    lua->cycle.cost_ns = tutti__bridge_now_ns(lua->engine) - began_ns;
    for (uint32_t i = 0; i < lua->cycle.suspect_count; i++)
        has_young = has_young || is_young(&c, i);
    if (has_young)
        tutti__cycle_watch(lua);
    return 0;
}

/* ---- the end of a circle ------------------------------------------------------------------ */

/* Push the error, with the names in running order, the first once more at the end. */
static void push_error(lua_State *L, struct tutti__record *record, const struct tutti__break *here)
{
    struct tutti__lua *lua = record->lua;
    struct tutti__record *current = lua->current;
    int base = lua_gettop(L);
    lua_createtable(L, (int)here->name_count + 1, 0);
    lua_pushliteral(L, "");
    const char *name = here->names;
    for (uint32_t i = 0; i <= here->name_count; i++) {
        if (i == here->name_count)
            name = here->names;
        lua_pushstring(L, name);
        lua_rawseti(L, base + 1, (lua_Integer)i + 1);
        lua_pushfstring(L, i == 0 ? "%s%s" : "%s -> %s", lua_tostring(L, base + 2), name);
        lua_replace(L, base + 2);
        name += strlen(name) + 1;
    }
    lua->current = record;
    tutti__error_push(L, lua, "cycle", "await can never end: these tasks wait for each other (%s)",
                      lua_tostring(L, base + 2));
    lua->current = current;
    lua_pushvalue(L, base + 1);
    tutti__error_set(L, -2, "path");
    lua_replace(L, base + 1);
    lua_settop(L, base + 1);
}

/* Does the record still wait as it did? */
static bool still_waits(const struct tutti__record *record, const struct tutti__break *here)
{
    if (record == NULL || tutti__record_id(record) != here->id || tutti__record_is_settled(record))
        return false;
    if ((here->flags & WAIT_AWAIT) == 0)
        return record->kind == RECORD_GATHER || record->state == TUTTI_TASK_WAITING;
    const struct tutti__record *target = tutti__await_target(record);
    if (target == NULL || record->wait != here->begun)
        return false;
    return !tutti__record_is_settled(target)
        && (target->kind != RECORD_REMOTE
            || (target->task != NULL && !tutti_task_is_done(target->task)));
}

void tutti__cycle_end_await(lua_State *L, struct tutti__record *record, int index)
{
    tutti__record_set_extra(L, index, EXTRA_CIRCLE);
    record->flags |= RECORD_CIRCLE;
    tutti__wait_withdraw(record);
    record->op = NULL;
    tutti__ready_push(record->lua, record);
}

static void end_await(lua_State *L, struct tutti__record *record, const struct tutti__break *here)
{
    tutti__record_push(L, record);
    push_error(L, record, here);
    tutti__cycle_end_await(L, record, lua_gettop(L) - 1);
    lua_pop(L, 1);
}

static void end_waiting(lua_State *L, struct tutti__record *record, const struct tutti__break *here)
{
    tutti__record_unlink_deps(record);
    push_error(L, record, here);
    tutti__record_settle(L, record, TUTTI_TASK_FAILED);
}

struct breaking {
    struct tutti__lua *lua;
    const struct tutti__break *here;
};

static int break_circle(lua_State *L)
{
    const struct breaking *breaking = (const struct breaking *)lua_touserdata(L, 1);
    struct tutti__lua *lua = breaking->lua;
    const struct tutti__break *here = breaking->here;
    struct tutti__record *record = here->slot <= lua->slots_used ? lua->slots[here->slot] : NULL;
    if (!still_waits(record, here))
        return 0;
    tutti__cycle_taken_back(lua);
    if ((here->flags & WAIT_AWAIT) != 0)
        end_await(L, record, here);
    else
        end_waiting(L, record, here);
    return 0;
}

static void on_break(struct tutti__post *post)
{
    struct tutti__break *here =
        (struct tutti__break *)(void *)((char *)post - offsetof(struct tutti__break, post));
    struct breaking breaking = { (struct tutti__lua *)here->home->pump_user, here };
    if (breaking.lua != NULL && !breaking.lua->closing)
        (void)tutti__door(breaking.lua, break_circle, &breaking);
    free(here);
}

bool tutti__cycle_take_error(lua_State *L, struct tutti__lua *lua)
{
    struct tutti__record *record = lua->current;
    if ((record->flags & RECORD_CIRCLE) == 0)
        return false;
    record->flags &= ~(uint32_t)RECORD_CIRCLE;
    tutti__record_push(L, record);
    tutti__record_get_extra(L, -1, EXTRA_CIRCLE);
    lua_pushnil(L);
    tutti__record_set_extra(L, -3, EXTRA_CIRCLE);
    lua_remove(L, -2);
    return true;
}

void tutti__cycle_forget(struct tutti__lua *lua)
{
    struct tutti__circles *circles = tutti__shared_circles(lua->engine);
    if (lua->cycle.has_published && circles != NULL)
        (void)tutti__circles_publish(circles, lua, NULL);
    lua->cycle.has_published = false;
    calm(lua);
    free(lua->cycle.suspects);
    lua->cycle.suspects = NULL;
    lua->cycle.suspect_size = 0;
}
