/* SPDX-License-Identifier: MIT */
/*
 * channel.c - see channel.h.
 *
 *     senders (blocked) -> [ items, at most `capacity` ] -> receivers (blocked)
 *
 * A value is encoded by send and decoded by recv, in one state too, so what was sent cannot change.
 *
 * Layer: lua. Thread: any home.
 * Locks: channel.mu, a leaf lock: no callback runs and no Lua is entered while it is held.
 * Invariant: receivers wait only while there are neither items nor senders; senders wait only while
 * the items are full. A wait is linked exactly while `channel` of it would still be found by others.
 */
#include "lua/channel.h"

#include <pthread.h>
#include <stdlib.h>

#include "lua/pool.h"

struct item {
    struct item *next;
    struct tutti__buffer *value;
};

enum wait_state { WAIT_LINKED, WAIT_SERVED, WAIT_CLOSED };

/* One blocked send or recv. Belongs to its home once it is not linked. */
struct wait {
    struct wait *next; /* [channel.mu] */
    struct wait *prev; /* [channel.mu] */
    struct tutti__post post;
    struct tutti__home *home;
    struct tutti__record *record; /* [home] NULL: withdrawn, or outside any task */
    struct tutti__channel *channel;
    struct tutti__buffer *value;  /* to send; received */
    enum wait_state state;        /* [channel.mu while linked, then home] */
    bool arrived;                 /* [home] the post has run */
    bool outside;                 /* [home] lives on the stack of a caller outside any task */
};

struct wait_list {
    struct wait *first;
    struct wait *last;
};

struct tutti__channel {
    TUTTI_ATOMIC(uint32_t) refs; /* [any] its own partner: the last one out frees (acq_rel) */
    pthread_mutex_t mu;
    size_t capacity;             /* [const] */
    size_t count;                /* [mu] of items */
    bool closed;                 /* [mu] */
    struct item *first;          /* [mu] */
    struct item *last;           /* [mu] */
    struct wait_list senders;    /* [mu] */
    struct wait_list receivers;  /* [mu] */
};

/* ---- life --------------------------------------------------------------------------------- */

void tutti__channel_ref(struct tutti__channel *channel)
{
    /* Whoever adds a reference has one, so nothing needs to be ordered. */
    (void)TUTTI_FETCH_ADD(&channel->refs, 1u, relaxed);
}

void tutti__channel_unref(struct tutti__channel *channel)
{
    if (TUTTI_FETCH_SUB(&channel->refs, 1u, acq_rel) != 1u)
        return;
    while (channel->first != NULL) {
        struct item *item = channel->first;
        channel->first = item->next;
        tutti__buffer_unref(item->value);
        free(item);
    }
    pthread_mutex_destroy(&channel->mu);
    free(channel);
}

/* ---- lists -------------------------------------------------------------------------------- */

static void wait_append(struct wait_list *list, struct wait *wait)
{
    wait->next = NULL;
    wait->prev = list->last;
    if (list->last != NULL)
        list->last->next = wait;
    else
        list->first = wait;
    list->last = wait;
    wait->state = WAIT_LINKED;
}

static void wait_remove(struct wait_list *list, struct wait *wait)
{
    if (wait->prev != NULL)
        wait->prev->next = wait->next;
    else
        list->first = wait->next;
    if (wait->next != NULL)
        wait->next->prev = wait->prev;
    else
        list->last = wait->prev;
}

static struct wait *wait_take_locked(struct wait_list *list, enum wait_state state)
{
    struct wait *wait = list->first;
    if (wait == NULL)
        return NULL;
    wait_remove(list, wait);
    wait->state = state;
    return wait;
}

static void append_item_locked(struct tutti__channel *channel, struct item *item)
{
    item->next = NULL;
    if (channel->last != NULL)
        channel->last->next = item;
    else
        channel->first = item;
    channel->last = item;
    channel->count++;
}

static void prepend_item_locked(struct tutti__channel *channel, struct item *item)
{
    item->next = channel->first;
    channel->first = item;
    if (channel->last == NULL)
        channel->last = item;
    channel->count++;
}

static struct item *take_item_locked(struct tutti__channel *channel)
{
    struct item *item = channel->first;
    if (item == NULL)
        return NULL;
    channel->first = item->next;
    if (channel->first == NULL)
        channel->last = NULL;
    channel->count--;
    return item;
}

/* Tell a wait that is not linked any more, after the lock has been released. */
static void tell(struct wait *wait)
{
    if (wait != NULL)
        tutti__home_post(wait->home, &wait->post);
}

/* ---- the two halves ------------------------------------------------------------------------ */

enum outcome { DONE, CLOSED, BLOCKED, NO_MEMORY };

/* Hand `value` over, keep it, or link `wait`. `wait` is NULL when the caller only tries. */
static enum outcome channel_send(struct tutti__channel *channel, struct tutti__buffer *value,
                                 struct wait *wait)
{
    struct item *item = (struct item *)malloc(sizeof *item);
    if (item == NULL)
        return NO_MEMORY;
    item->value = value;
    enum outcome outcome = DONE;
    struct wait *receiver = NULL;
    pthread_mutex_lock(&channel->mu);
    if (channel->closed) {
        outcome = CLOSED;
    } else if ((receiver = wait_take_locked(&channel->receivers, WAIT_SERVED)) != NULL) {
        receiver->value = value;
    } else if (channel->count < channel->capacity) {
        append_item_locked(channel, item);
        item = NULL;
    } else {
        wait->value = value;
        wait_append(&channel->senders, wait);
        outcome = BLOCKED;
    }
    pthread_mutex_unlock(&channel->mu);
    free(item);
    tell(receiver);
    return outcome;
}

/* Take the next value, or link `wait`. */
static enum outcome channel_recv(struct tutti__channel *channel, struct tutti__buffer **value,
                                 struct wait *wait)
{
    enum outcome outcome = DONE;
    struct wait *sender = NULL;
    pthread_mutex_lock(&channel->mu);
    struct item *item = take_item_locked(channel);
    if (item != NULL) {
        *value = item->value;
        sender = wait_take_locked(&channel->senders, WAIT_SERVED);
        if (sender != NULL) {
            item->value = sender->value; /* its place is free now: the sender's value goes there */
            append_item_locked(channel, item);
            item = NULL;
        }
    } else if ((sender = wait_take_locked(&channel->senders, WAIT_SERVED)) != NULL) {
        *value = sender->value;
    } else if (channel->closed) {
        outcome = CLOSED;
    } else {
        wait_append(&channel->receivers, wait);
        outcome = BLOCKED;
    }
    pthread_mutex_unlock(&channel->mu);
    free(item);
    tell(sender);
    return outcome;
}

/* A receiver went away with a value in hand: the next one gets it, or it goes back to the front. */
static void give_back(struct tutti__channel *channel, struct tutti__buffer *value)
{
    struct item *item = (struct item *)malloc(sizeof *item);
    pthread_mutex_lock(&channel->mu);
    struct wait *receiver = wait_take_locked(&channel->receivers, WAIT_SERVED);
    if (receiver != NULL) {
        receiver->value = value;
    } else if (item != NULL) {
        item->value = value;
        prepend_item_locked(channel, item);
        item = NULL;
        value = NULL;
    }
    pthread_mutex_unlock(&channel->mu);
    free(item);
    tell(receiver);
    if (receiver == NULL && value != NULL)
        tutti__buffer_unref(value); /* out of memory: the one case in which a value is lost */
}

static void channel_close(struct tutti__channel *channel)
{
    struct wait *told = NULL;
    pthread_mutex_lock(&channel->mu);
    channel->closed = true;
    for (;;) {
        struct wait *wait = wait_take_locked(&channel->receivers, WAIT_CLOSED);
        if (wait == NULL)
            wait = wait_take_locked(&channel->senders, WAIT_CLOSED);
        if (wait == NULL)
            break;
        wait->next = told;
        told = wait;
    }
    pthread_mutex_unlock(&channel->mu);
    while (told != NULL) {
        struct wait *next = told->next;
        tell(told);
        told = next;
    }
}

/* ---- waiting at home ----------------------------------------------------------------------- */

static void on_post(struct tutti__post *post)
{
    struct wait *wait = (struct wait *)(void *)((char *)post - offsetof(struct wait, post));
    wait->arrived = true;
    if (wait->outside)
        return;
    if (wait->record != NULL) {
        tutti__wait_end(wait->record);
        return; /* the continuation frees it */
    }
    tutti__channel_unref(wait->channel);
    free(wait);
}

static void wait_free(struct wait *wait)
{
    tutti__channel_unref(wait->channel);
    free(wait);
}

static struct wait *wait_new(lua_State *L, struct tutti__lua *lua, struct tutti__channel *channel)
{
    struct wait *wait = (struct wait *)calloc(1, sizeof *wait);
    if (wait == NULL) {
        luaL_error(L, "not enough memory to wait for a channel");
        return NULL;
    }
    wait->home = lua->home;
    wait->post.fn = on_post;
    wait->channel = channel;
    wait->record = lua->current;
    tutti__channel_ref(channel);
    return wait;
}

/* Take the wait back. If somebody has served it already, its post is on the way and frees it. */
static void wait_withdraw(struct wait *wait, bool receives)
{
    struct tutti__channel *channel = wait->channel;
    pthread_mutex_lock(&channel->mu);
    bool linked = wait->state == WAIT_LINKED;
    if (linked)
        wait_remove(receives ? &channel->receivers : &channel->senders, wait);
    pthread_mutex_unlock(&channel->mu);
    if (receives && wait->state == WAIT_SERVED)
        give_back(channel, wait->value);
    else if (!receives && wait->state != WAIT_SERVED)
        tutti__buffer_unref(wait->value);
    wait->record = NULL;
    wait->outside = false;
    if (linked)
        wait_free(wait);
}

static void withdraw_send(struct tutti__record *record)
{
    wait_withdraw((struct wait *)record->op, false);
}

static void withdraw_recv(struct tutti__record *record)
{
    wait_withdraw((struct wait *)record->op, true);
}

static bool has_arrived(void *user)
{
    return ((const struct wait *)user)->arrived;
}

/* ---- Lua ----------------------------------------------------------------------------------- */

struct tutti__channel *tutti__channel_test(lua_State *L, struct tutti__lua *lua, int index)
{
    (void)lua;
    struct tutti__channel **box = (struct tutti__channel **)luaL_testudata(L, index, "tutti.channel");
    return box == NULL ? NULL : *box;
}

static struct tutti__channel *check(lua_State *L)
{
    struct tutti__channel *channel = tutti__channel_test(L, tutti__lua_of(L), 1);
    if (channel == NULL)
        tutti__usage(L, 1, "a channel was expected, got %s (methods are called with a colon: ch:send(v))",
                     luaL_typename(L, 1));
    return channel;
}

void tutti__channel_push(lua_State *L, struct tutti__lua *lua, struct tutti__channel *channel)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, lua->ref_tasks);
    if (lua_rawgetp(L, -1, channel) == LUA_TNIL) {
        lua_pop(L, 1);
        struct tutti__channel **box = (struct tutti__channel **)lua_newuserdatauv(L, sizeof(void *), 0);
        tutti__channel_ref(channel);
        *box = channel;
        luaL_setmetatable(L, "tutti.channel");
        lua_pushvalue(L, -1);
        lua_rawsetp(L, -3, channel);
    }
    lua_remove(L, -2);
}

/* tutti.channel([capacity]) -> channel   [-1, +1, v] */
static int l_channel(lua_State *L)
{
    int is_integer = 1;
    lua_Integer capacity = lua_isnoneornil(L, 1) ? 0 : lua_tointegerx(L, 1, &is_integer);
    if (!is_integer || lua_type(L, 1) == LUA_TSTRING || capacity < 0 || capacity > 1000000000)
        return tutti__usage(L, 1, "tutti.channel: a capacity of 0 to 1000000000 was expected, got %s",
                            luaL_tolstring(L, 1, NULL));
    struct tutti__channel *channel = (struct tutti__channel *)calloc(1, sizeof *channel);
    if (channel == NULL)
        return luaL_error(L, "not enough memory for a channel");
    TUTTI_STORE(&channel->refs, 1u, relaxed); /* nobody else knows it yet */
    channel->capacity = (size_t)capacity;
    pthread_mutex_init(&channel->mu, NULL);
    tutti__channel_push(L, tutti__lua_of(L), channel);
    tutti__channel_unref(channel);
    return 1;
}

static int refuse_closed(lua_State *L)
{
    return tutti__usage(L, 1, "send on a channel that is closed");
}

static int sent(lua_State *L, struct wait *wait)
{
    bool closed = wait->state == WAIT_CLOSED;
    if (closed)
        tutti__buffer_unref(wait->value);
    wait_free(wait);
    tutti__checkpoint(L, tutti__lua_of(L));
    return closed ? refuse_closed(L) : 0;
}

static int send_continue(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct wait *wait = (struct wait *)tutti__lua_of(L)->current->op;
    if (wait == NULL)
        tutti__checkpoint(L, tutti__lua_of(L)); /* withdrawn: raises */
    return sent(L, wait);
}

static struct tutti__buffer *encode(lua_State *L, struct tutti__lua *lua)
{
    char why[512];
    struct tutti__buffer *buffer = NULL;
    tutti__pool_push_env(L, lua->current);
    struct tutti__encode_opts opts = { .ops = &tutti__lua_value_ops, .label = "argument",
                                       .library = "tutti" };
    opts.env_index = lua_istable(L, -1) ? lua_gettop(L) : 0;
    int rc = tutti__value_encode(L, 2, 1, &opts, &buffer, why, sizeof why);
    lua_pop(L, 1);
    if (rc == TUTTI__VALUE_OK)
        return buffer;
    luaL_where(L, 1);
    tutti__error_push(L, lua, "transfer", "%scannot send this through a channel: %s",
                      lua_tostring(L, -1), why);
    lua_error(L);
    return NULL;
}

/* channel:send(value)   [-2, +0, y] */
static int l_send(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__channel *channel = check(L);
    lua_settop(L, 2);
    if (lua_isnil(L, 2))
        return tutti__usage(L, 1, "send: nil cannot be sent (recv returns nil when the channel is closed)");
    struct tutti__record *me = tutti__wait_check(L, lua, "channel:send");
    struct tutti__buffer *value = encode(L, lua);
    struct wait *wait = wait_new(L, lua, channel);
    wait->outside = me == NULL;
    enum outcome outcome = channel_send(channel, value, wait);
    if (outcome == BLOCKED && me != NULL)
        return tutti__wait(L, withdraw_send, wait, 0, send_continue);
    if (outcome == BLOCKED) {
        if (tutti__block_on(lua, has_arrived, wait))
            return sent(L, wait);
        wait_withdraw(wait, false);
        return tutti__block_refused(L);
    }
    wait_free(wait);
    if (outcome == DONE)
        return 0;
    tutti__buffer_unref(value);
    return outcome == CLOSED ? refuse_closed(L) : luaL_error(L, "not enough memory to send");
}

static int decode_top(lua_State *L)
{
    struct tutti__decode_opts opts = { .ops = &tutti__lua_value_ops, .env_index = 0 };
    struct tutti__buffer *buffer = (struct tutti__buffer *)lua_touserdata(L, 1);
    if (lua_istable(L, 2))
        opts.env_index = 2;
    return tutti__value_decode(L, buffer, &opts);
}

/* Push value, true and let go of the buffer. */
static int push_received(lua_State *L, struct tutti__buffer *value)
{
    lua_pushcfunction(L, decode_top);
    lua_pushlightuserdata(L, value);
    tutti__pool_push_env(L, tutti__lua_of(L)->current);
    int rc = lua_pcall(L, 2, 1, 0);
    tutti__buffer_unref(value);
    if (rc != LUA_OK)
        return lua_error(L);
    lua_pushboolean(L, 1);
    return 2;
}

static int push_closed(lua_State *L)
{
    lua_pushnil(L);
    lua_pushboolean(L, 0);
    return 2;
}

static int received(lua_State *L, struct wait *wait)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__buffer *value = wait->value;
    bool closed = wait->state == WAIT_CLOSED;
    bool cancelled = lua->current != NULL && (lua->current->flags & RECORD_CANCEL) != 0;
    if (cancelled && !closed)
        give_back(wait->channel, value); /* cancelled between the serving and now */
    wait_free(wait);
    tutti__checkpoint(L, lua);
    return closed ? push_closed(L) : push_received(L, value);
}

static int recv_continue(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct wait *wait = (struct wait *)tutti__lua_of(L)->current->op;
    if (wait == NULL)
        tutti__checkpoint(L, tutti__lua_of(L)); /* withdrawn: raises */
    return received(L, wait);
}

/* channel:recv() -> value, true | nil, false   [-1, +2, y] */
static int l_recv(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__channel *channel = check(L);
    struct tutti__buffer *value = NULL;
    struct tutti__record *me = tutti__wait_check(L, lua, "channel:recv");
    struct wait *wait = wait_new(L, lua, channel);
    wait->outside = me == NULL;
    enum outcome outcome = channel_recv(channel, &value, wait);
    if (outcome == BLOCKED && me != NULL)
        return tutti__wait(L, withdraw_recv, wait, 0, recv_continue);
    if (outcome == BLOCKED) {
        if (tutti__block_on(lua, has_arrived, wait))
            return received(L, wait);
        wait_withdraw(wait, true);
        return tutti__block_refused(L);
    }
    wait_free(wait);
    return outcome == CLOSED ? push_closed(L) : push_received(L, value);
}

/* channel:close()   [-1, +0, v] */
static int l_close(lua_State *L)
{
    channel_close(check(L));
    return 0;
}

static int l_collect(lua_State *L)
{
    struct tutti__channel **box = (struct tutti__channel **)lua_touserdata(L, 1);
    if (*box != NULL)
        tutti__channel_unref(*box);
    *box = NULL;
    return 0;
}

const luaL_Reg tutti__channel_functions[] = {
    { "channel", l_channel },
    { NULL, NULL },
};

const luaL_Reg tutti__channel_methods[] = {
    { "send", l_send }, { "recv", l_recv }, { "close", l_close }, { "__gc", l_collect }, { NULL, NULL },
};
