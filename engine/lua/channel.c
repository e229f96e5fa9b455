/* SPDX-License-Identifier: MIT */
/*
 * channel.c - see channel.h.
 *
 *     senders (blocked) -> [ items, at most `capacity` ] -> receivers (blocked)
 *
 * A value is packed by send and unpacked by recv, in one state too, so what was sent cannot change.
 *
 * Layer: lua. Thread: any home.
 * Locks: channel.mu (handle.mu), a leaf lock.
 * Invariant: receivers wait only while there are neither items nor senders; senders wait only while
 * the items are full.
 */
#include "lua/channel.h"

#include <stdlib.h>

#include "lua/waitlist.h"

/* The ring of items begins so large and doubles; one larger than KEEP is given back when it is empty. */
enum { RING_FIRST = 8, RING_KEEP = 1024 };

struct channel {
    struct tutti__handle handle;
    size_t capacity;                  /* [const] */
    struct tutti__parcel *ring;       /* [mu] ring_size of them, a power of two; NULL: none */
    size_t ring_size;                 /* [mu] */
    size_t first;                     /* [mu] index of the oldest item */
    size_t count;                     /* [mu] of items; more than capacity only by what was given back */
    bool closed;                      /* [mu] */
    struct tutti__waitlist senders;   /* [mu] */
    struct tutti__waitlist receivers; /* [mu] */
};

static void destroy(struct tutti__handle *handle)
{
    struct channel *channel = (struct channel *)(void *)handle;
    for (size_t i = 0; i < channel->count; i++)
        tutti__parcel_drop(&channel->ring[(channel->first + i) & (channel->ring_size - 1)]);
    free(channel->ring);
}

const struct tutti__handle_type tutti__channel_type = {
    .meta = "tutti.channel", .noun = "a channel", .call = "ch:send(v)", .destroy = destroy,
    .at = TUTTI__HANDLE_CHANNEL,
};

/* ---- items -------------------------------------------------------------------------------- */

/* Have room for one more. Returns: false - out of memory. */
static bool ring_reserve_locked(struct channel *channel)
{
    if (channel->count < channel->ring_size)
        return true;
    size_t size = channel->ring_size == 0 ? RING_FIRST : channel->ring_size * 2;
    struct tutti__parcel *ring = (struct tutti__parcel *)malloc(size * sizeof *ring);
    if (ring == NULL)
        return false;
    for (size_t i = 0; i < channel->count; i++)
        ring[i] = channel->ring[(channel->first + i) & (channel->ring_size - 1)];
    free(channel->ring);
    channel->ring = ring;
    channel->ring_size = size;
    channel->first = 0;
    return true;
}

static void append_item_locked(struct channel *channel, const struct tutti__parcel *parcel)
{
    channel->ring[(channel->first + channel->count) & (channel->ring_size - 1)] = *parcel;
    channel->count++;
}

static void prepend_item_locked(struct channel *channel, const struct tutti__parcel *parcel)
{
    channel->first = (channel->first + channel->ring_size - 1) & (channel->ring_size - 1);
    channel->ring[channel->first] = *parcel;
    channel->count++;
}

static void take_item_locked(struct channel *channel, struct tutti__parcel *parcel)
{
    *parcel = channel->ring[channel->first];
    channel->first = (channel->first + 1) & (channel->ring_size - 1);
    if (--channel->count > 0 || channel->ring_size <= RING_KEEP)
        return;
    free(channel->ring);
    channel->ring = NULL;
    channel->ring_size = 0;
    channel->first = 0;
}

/* ---- the two halves ------------------------------------------------------------------------ */

enum outcome { DONE, CLOSED, BLOCKED, NO_MEMORY };

/* A send or a recv that goes on. */
struct attempt {
    struct tutti__lua *lua;
    struct channel *channel;
    struct tutti__record *me;               /* NULL: outside any task */
    const struct tutti__blocked_kind *kind;
    struct tutti__parcel parcel;            /* to send / received */
    struct tutti__blocked *blocked;         /* its wait, if it comes to one */
};

static enum outcome block_locked(struct attempt *a, struct tutti__waitlist *list)
{
    a->blocked = tutti__blocked_make(a->lua, &a->channel->handle, a->me, a->kind);
    if (a->blocked == NULL)
        return NO_MEMORY;
    tutti__waitlist_append(list, a->blocked);
    return BLOCKED;
}

/* Hand the parcel over, keep it, or link a wait that has it. */
static enum outcome channel_send(struct attempt *a)
{
    struct channel *channel = a->channel;
    enum outcome outcome = DONE;
    struct tutti__blocked *receiver = NULL;
    pthread_mutex_lock(&channel->handle.mu);
    if (channel->closed) {
        outcome = CLOSED;
    } else if ((receiver = tutti__waitlist_take(&channel->receivers, BLOCKED_SERVED)) != NULL) {
        receiver->parcel = a->parcel;
    } else if (channel->count >= channel->capacity) {
        outcome = block_locked(a, &channel->senders);
        if (outcome == BLOCKED)
            a->blocked->parcel = a->parcel;
    } else if (ring_reserve_locked(channel)) {
        append_item_locked(channel, &a->parcel);
    } else {
        outcome = NO_MEMORY;
    }
    pthread_mutex_unlock(&channel->handle.mu);
    tutti__blocked_tell(a->lua, receiver);
    return outcome;
}

/* Take the next value, or link a wait. */
static enum outcome channel_recv(struct attempt *a)
{
    struct channel *channel = a->channel;
    enum outcome outcome = DONE;
    struct tutti__blocked *sender = NULL;
    pthread_mutex_lock(&channel->handle.mu);
    if (channel->count > 0) {
        /* Senders wait only beside `capacity` items, so a ring that is given back has none waiting. */
        if (channel->count <= channel->capacity)
            sender = tutti__waitlist_take(&channel->senders, BLOCKED_SERVED);
        take_item_locked(channel, &a->parcel);
        if (sender != NULL)
            append_item_locked(channel, &sender->parcel);
    } else if ((sender = tutti__waitlist_take(&channel->senders, BLOCKED_SERVED)) != NULL) {
        a->parcel = sender->parcel;
    } else if (channel->closed) {
        outcome = CLOSED;
    } else {
        outcome = block_locked(a, &channel->receivers);
    }
    pthread_mutex_unlock(&channel->handle.mu);
    tutti__blocked_tell(a->lua, sender);
    return outcome;
}

/* A receiver went away with a value in hand: the next one gets it, or it goes back to the front. */
static void give_back(struct tutti__lua *lua, struct channel *channel, struct tutti__parcel *parcel)
{
    bool kept = true;
    pthread_mutex_lock(&channel->handle.mu);
    struct tutti__blocked *receiver = tutti__waitlist_take(&channel->receivers, BLOCKED_SERVED);
    if (receiver != NULL)
        receiver->parcel = *parcel;
    else if (ring_reserve_locked(channel))
        prepend_item_locked(channel, parcel);
    else
        kept = false;
    pthread_mutex_unlock(&channel->handle.mu);
    tutti__blocked_tell(lua, receiver);
    if (!kept)
        tutti__parcel_drop(parcel); /* out of memory: the one case in which a value is lost */
}

static void channel_close(struct tutti__lua *lua, struct channel *channel)
{
    pthread_mutex_lock(&channel->handle.mu);
    channel->closed = true;
    struct tutti__blocked *receivers = tutti__waitlist_take_all(&channel->receivers, BLOCKED_REFUSED);
    struct tutti__blocked *senders = tutti__waitlist_take_all(&channel->senders, BLOCKED_REFUSED);
    pthread_mutex_unlock(&channel->handle.mu);
    tutti__blocked_tell(lua, receivers);
    tutti__blocked_tell(lua, senders);
}

/* ---- send ---------------------------------------------------------------------------------- */

static struct channel *check(lua_State *L, struct tutti__lua *lua)
{
    return (struct channel *)(void *)tutti__handle_check(L, lua, &tutti__channel_type);
}

/* tutti.channel([capacity]) -> channel   [-1, +1, v] */
static int l_channel(lua_State *L)
{
    int is_integer = 1;
    lua_Integer capacity = lua_isnoneornil(L, 1) ? 0 : lua_tointegerx(L, 1, &is_integer);
    if (!is_integer || lua_type(L, 1) == LUA_TSTRING || capacity < 0 || capacity > 1000000000)
        return tutti__usage(L, 1, "tutti.channel: a capacity of 0 to 1000000000 was expected, got %s",
                            luaL_tolstring(L, 1, NULL));
    struct channel *channel = (struct channel *)(void *)tutti__handle_new(
        L, tutti__lua_of(L), &tutti__channel_type, sizeof *channel);
    channel->capacity = (size_t)capacity;
    return 1;
}

static int refuse_closed(lua_State *L)
{
    return tutti__usage(L, 1, "send on a channel that is closed");
}

static struct tutti__waitlist *senders_of(struct tutti__handle *handle)
{
    return &((struct channel *)(void *)handle)->senders;
}

static void send_taken_back(struct tutti__lua *lua, struct tutti__blocked *blocked, bool was_served)
{
    (void)lua;
    if (!was_served)
        tutti__parcel_drop(&blocked->parcel);
}

/* A value that has been taken was sent, whatever came after: then a cancellation is raised by the next
 * checkpoint, so that a send that raises it has sent nothing. */
static int send_finish(lua_State *L, struct tutti__blocked *blocked)
{
    struct tutti__lua *lua = blocked->lua;
    bool closed = blocked->state == BLOCKED_REFUSED;
    if (closed)
        tutti__parcel_drop(&blocked->parcel);
    tutti__blocked_free(lua, blocked);
    if (!closed)
        return 0;
    tutti__checkpoint(L, lua);
    return refuse_closed(L);
}

static const struct tutti__blocked_kind send_kind = { "channel:send", senders_of, send_taken_back,
                                                      send_finish };

/* channel:send(value)   [-2, +0, y] */
static int l_send(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct attempt a = { .lua = lua, .channel = check(L, lua), .kind = &send_kind };
    if (lua_gettop(L) != 2)
        lua_settop(L, 2);
    if (lua_isnil(L, 2))
        return tutti__usage(L, 1, "send: nil cannot be sent (recv returns nil when the channel is closed)");
    a.me = tutti__wait_check(L, lua, send_kind.what);
    tutti__parcel_pack(L, lua, 2, "send this through a channel", &a.parcel);
    enum outcome outcome = channel_send(&a);
    if (outcome == BLOCKED)
        return tutti__blocked_wait(L, lua, a.blocked);
    if (outcome == DONE)
        return 0;
    tutti__parcel_drop(&a.parcel);
    return outcome == CLOSED ? refuse_closed(L) : luaL_error(L, "not enough memory to send");
}

/* ---- recv ---------------------------------------------------------------------------------- */

/* Of the function that ch:iter() returns; others of recv. */
static const struct tutti__blocked_kind next_kind;

/* Push value, true; at the end nil, false; of next_kind the first of them alone. */
static int push_outcome(lua_State *L, const struct tutti__blocked_kind *kind, bool closed)
{
    if (closed)
        lua_pushnil(L);
    if (kind == &next_kind)
        return 1;
    lua_pushboolean(L, !closed);
    return 2;
}

static struct tutti__waitlist *receivers_of(struct tutti__handle *handle)
{
    return &((struct channel *)(void *)handle)->receivers;
}

static void recv_taken_back(struct tutti__lua *lua, struct tutti__blocked *blocked, bool was_served)
{
    if (was_served)
        give_back(lua, (struct channel *)(void *)blocked->handle, &blocked->parcel);
}

static int recv_finish(lua_State *L, struct tutti__blocked *blocked)
{
    struct tutti__lua *lua = blocked->lua;
    bool closed = blocked->state == BLOCKED_REFUSED;
    if (tutti__cancel_is_due(lua)) { /* cancelled between the serving and now */
        recv_taken_back(lua, blocked, !closed);
        tutti__blocked_free(lua, blocked);
        tutti__checkpoint(L, lua);
    }
    const struct tutti__blocked_kind *kind = blocked->kind;
    struct tutti__parcel parcel = blocked->parcel;
    tutti__blocked_free(lua, blocked);
    if (!closed)
        tutti__parcel_unpack(L, lua, &parcel);
    return push_outcome(L, kind, closed);
}

static const struct tutti__blocked_kind recv_kind = { "channel:recv", receivers_of, recv_taken_back,
                                                      recv_finish };
static const struct tutti__blocked_kind next_kind = { "channel:recv", receivers_of, recv_taken_back,
                                                      recv_finish };

/* What is called keeps the channel: it is at 1, or an upvalue. */
static int recv_as(lua_State *L, struct tutti__lua *lua, struct channel *channel,
                   const struct tutti__blocked_kind *kind)
{
    struct attempt a = { .lua = lua, .channel = channel, .kind = kind };
    a.me = tutti__wait_check(L, lua, kind->what);
    enum outcome outcome = channel_recv(&a);
    if (outcome == BLOCKED)
        return tutti__blocked_wait(L, lua, a.blocked);
    if (outcome == NO_MEMORY)
        return luaL_error(L, "not enough memory to wait in %s", kind->what);
    if (outcome == DONE)
        tutti__parcel_unpack(L, lua, &a.parcel);
    return push_outcome(L, kind, outcome == CLOSED);
}

/* channel:recv() -> value, true | nil, false   [-1, +2, y] */
static int l_recv(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    return recv_as(L, lua, check(L, lua), &recv_kind);
}

/* ---- iter ---------------------------------------------------------------------------------- */

/* What ch:iter() returns; upvalue 2 is the channel.   [-n, +1, y] */
static int next_value(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    /* l_iter has seen that it is a channel; it has gone if it is collected together with this function. */
    struct channel *channel = *(struct channel **)lua_touserdata(L, lua_upvalueindex(2));
    if (channel == NULL)
        return tutti__usage(L, 1, "this channel has been collected already: a finaliser cannot use it");
    return recv_as(L, lua, channel, &next_kind);
}

/* channel:iter() -> function, which returns the next value, or nil at the end   [-1, +1, v] */
static int l_iter(lua_State *L)
{
    (void)check(L, tutti__lua_of(L));
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, next_value, 2);
    return 1;
}

/* channel:close()   [-1, +0, v] */
static int l_close(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    channel_close(lua, check(L, lua));
    return 0;
}

const luaL_Reg tutti__channel_functions[] = {
    { "channel", l_channel },
    { NULL, NULL },
};

const luaL_Reg tutti__channel_methods[] = {
    { "send", l_send }, { "recv", l_recv }, { "iter", l_iter }, { "close", l_close },
    { NULL, NULL },
};
