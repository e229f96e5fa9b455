/* SPDX-License-Identifier: MIT */
/*
 * encoder.h - the encoder's state, for encode.c, table.c, function.c and path.c alone.
 *
 * Tables and functions that are half written are frames on a stack of their own: nothing here
 * recurses. A frame's values lie on the Lua stack:
 *
 *   base+1 .. base+SLOTS_MAX_   cache, its tables, functions to be remembered at the end
 *   then, per frame             the table, function or box, and for a table its key
 *   top                         the value being written; if it opens a frame, it stays there
 *
 * Layer: value. Locks: none.
 * Invariant: while a frame is open nothing is allocated in Lua. A finaliser could otherwise change a
 * table under lua_next, and free what the map of seen objects knows by address.
 */
#ifndef TUTTI_VALUE_ENCODER_H
#define TUTTI_VALUE_ENCODER_H

#include <stdbool.h>

#include "value/cache.h"
#include "value/codec.h"
#include "value/proto.h"
#include "value/put.h"
#include "value/seen.h"

enum {
    TUTTI__FUNCTIONS_HELD_MAX = 8, /* so many new functions of one message are remembered */
    TUTTI__STACK_SPARE = 24,       /* slots that one step may use above its frame */
};

/* Stack slots, counted from base. */
enum tutti__encoder_slot {
    TUTTI__SLOT_CACHE = 1,
    TUTTI__SLOT_NAMES,
    TUTTI__SLOT_FUNCTIONS,
    TUTTI__SLOT_HELD, /* the first of FUNCTIONS_HELD_MAX */
    TUTTI__SLOTS_MAX_ = TUTTI__SLOT_HELD + TUTTI__FUNCTIONS_HELD_MAX - 1,
};

/* What a step comes to; negative: the message ends here. */
enum tutti__step {
    TUTTI__STEP_DONE = 0, /* the value was written and popped */
    TUTTI__STEP_OPENED,   /* it is the top frame now */
    TUTTI__STEP_NOMEM = -1,
    TUTTI__STEP_REFUSED = -2, /* `reason` says why */
    TUTTI__STEP_RETRY = -3,   /* fill the names, then begin again */
    TUTTI__STEP_FOREIGN = -4, /* nothing was written; `reason` says what it is that may not cross */
};

struct tutti__encode_frame {
    int index;       /* of the table or function on the Lua stack */
    uint32_t offset; /* of its tag */
    uint32_t first;  /* table: length of the array · function: the upvalue that comes now, 1.. ·
                        box: 1 once its content was begun */
    uint32_t second; /* table: pairs so far · function: how many upvalues it has · box: its kind */
    bool is_function;
    bool is_box;
    bool has_metatable;
    bool in_key; /* the frame above is a key of this table */
};

#ifdef TUTTI_HARD
enum { TUTTI__FIRST_FRAMES = 2 };
#else
enum { TUTTI__FIRST_FRAMES = 12 };
#endif

struct tutti__encoder {
    lua_State *L;
    const struct tutti__encode_opts *opts;
    int first; /* stack index of the first value */
    int count;
    int base; /* top of the stack at the start */
    int root; /* the value being written, 0.. */
    const void *globals;
    const void *env; /* the second such table, or NULL */
    bool may_retry;  /* the names have not been filled for this message yet */
    bool has_cache;  /* the slots hold the cache and its tables */
    bool has_names;  /* and NAMES is as good as package.loaded */
    char reason[96];
    uint32_t depth;
    uint32_t boxes; /* how many of the open frames are boxes */
    uint32_t frame_capacity;
    struct tutti__encode_frame *frames; /* first_frames, or malloc'ed */
    struct tutti__place held[TUTTI__FUNCTIONS_HELD_MAX];
    int held_count;
    uint8_t *dump; /* where lua_dump writes; malloc'ed */
    size_t dump_size;
    size_t dump_capacity;
    struct tutti__writer out;
    struct tutti__seen seen;
    struct tutti__encode_frame first_frames[TUTTI__FIRST_FRAMES];
};

/* Refuse, with a reason. Returns TUTTI__STEP_REFUSED. */
int tutti__encoder_refuse(struct tutti__encoder *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Say what it is at the top that may not cross. Returns TUTTI__STEP_FOREIGN. */
int tutti__encoder_foreign(struct tutti__encoder *e, const char *what);

/* Say why tutti__writer_reserve said no. */
int tutti__encoder_no_room(struct tutti__encoder *e);

/* Have the cache in its slots; TUTTI__STEP_RETRY when it has to be made first. */
int tutti__encoder_need_cache(struct tutti__encoder *e);

/* Have NAMES in its slot, and see that it knows what package.loaded has; or RETRY. */
int tutti__encoder_need_names(struct tutti__encoder *e);

/* Push the name of the object at the top. Returns its kind, or 0 with nothing pushed. */
char tutti__encoder_name(struct tutti__encoder *e);

/* Write the object below the name at the top by that name; pops both. */
int tutti__encoder_put_named(struct tutti__encoder *e);

/* Write a reference to the value at `offset`. */
int tutti__encoder_put_ref(struct tutti__encoder *e, uint32_t offset);

/**
 * Open a frame for the table or function at the top and write its tag and `head_bytes` of zeros.
 * Returns: TUTTI__STEP_OPENED, or negative.
 */
int tutti__encoder_open(struct tutti__encoder *e, uint8_t tag, size_t head_bytes);

/* Write, or open, the table at the top. */
int tutti__encoder_put_table(struct tutti__encoder *e);

/* Write entries of the top frame's table until one opens a frame; closes the frame at the end. */
int tutti__encoder_step_table(struct tutti__encoder *e);

/* Write the value at `index` if it has no parts; pops nothing. OPENED: it has, nothing is written. */
int tutti__encoder_put_plain(struct tutti__encoder *e, int index);

/* Write, or open, the function at the top. */
int tutti__encoder_put_function(struct tutti__encoder *e);

/* Write the upvalues of the top frame until one opens a frame; closes the frame at the end. */
int tutti__encoder_step_function(struct tutti__encoder *e);

/* Write, or open, the value at the top (encode.c). */
int tutti__encoder_put(struct tutti__encoder *e);

/* Remember the functions that were dumped. Calls Lua, protected. */
void tutti__encoder_remember(struct tutti__encoder *e);

/* Write the path to the value being encoded and the reason into `err`. */
void tutti__path_write(const struct tutti__encoder *e, const char *reason, char *err,
                       size_t err_bytes);

#endif
