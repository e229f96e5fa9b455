/* SPDX-License-Identifier: MIT */
/*
 * waits.c - see waits.h.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: a record waits for something exactly while it is suspended and not in the ready queue; a
 * REMOTE one only for a signal.
 */
#include "lua/waits.h"

#include "lua/proxy.h"

static void withdraw_await(struct tutti__record *record)
{
    tutti__waiter_unlink(&record->await);
}

static void withdraw_nothing(struct tutti__record *record)
{
    (void)record; /* nothing refers to one that is parked, and a place is looked at when its turn comes */
}

static void (*const withdraws[TUTTI__WAITS_FOR])(struct tutti__record *) = {
    [WAITS_FOR_TASK] = withdraw_await,
    [WAITS_FOR_MEMBER] = withdraw_await,
    [WAITS_FOR_LOAD] = withdraw_await,
    [WAITS_FOR_TURN] = withdraw_await,
    [WAITS_FOR_SLEEP] = tutti__nap_withdraw,
    [WAITS_FOR_ENGINE_SLEEP] = tutti__proxy_abandon,
    [WAITS_FOR_JOIN] = tutti__cleanup_withdraw,
    [WAITS_FOR_OBJECT] = tutti__blocked_withdraw,
    [WAITS_FOR_FS] = tutti__fs_withdraw,
    [WAITS_FOR_UV] = tutti__uv_withdraw,
    [WAITS_FOR_WAKE] = withdraw_nothing,
    [WAITS_FOR_PLACE] = withdraw_nothing,
    [WAITS_FOR_SIGNAL] = tutti__signal_withdraw,
};

void tutti__wait_withdraw(struct tutti__record *record)
{
    unsigned what = record->waits_for;
    if (what == WAITS_FOR_NOTHING)
        return;
    record->waits_for = WAITS_FOR_NOTHING;
    withdraws[what](record);
}

void tutti__waiter_fire(lua_State *L, struct tutti__waiter *waiter, struct tutti__record *target)
{
    struct tutti__record *owner = waiter->owner;
    if (owner->kind == RECORD_GATHER)
        tutti__gather_fire(L, waiter, target);
    else if (owner->kind == RECORD_SCOPE)
        tutti__scope_fire(L, owner, target);
    else if (waiter == &owner->await)
        tutti__await_fire(owner, target);
    else
        tutti__start_fire(L, owner, target);
}
