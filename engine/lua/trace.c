/* SPDX-License-Identifier: MIT */
/*
 * trace.c - see trace.h.
 *
 * Each state has a buffer of its own, so threads meet only when one is full. Texts are asked of Lua before a
 * lock is taken, since that may raise.
 *
 * Layer: lua. Thread: events: the state's home; on, off and free: any.
 * Locks: full_trace.mu, then buffer.mu, then full_trace.file_mu. No Lua runs under any.
 * Invariant: while a trace is on each event is in a buffer, in the file, or counted in `lost`.
 */
#include "lua/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua/tree.h"

enum { BUFFER_BYTES = 64 * 1024, EVENT_BYTES = 4096, TEXT_BYTES = 800, LINE_BYTES = 400 };

struct tutti__trace_buffer {
    pthread_mutex_t mu;
    struct tutti__trace_buffer *next; /* [const once linked] */
    bool is_open;                     /* [mu] a trace is on and it has its head in the file */
    size_t length;                    /* [mu] */
    uint64_t count;                   /* [mu] events in it */
    uint64_t began_ns;                /* [mu] when the trace began */
    uint32_t number;                  /* [const] 0: the loop state's */
    int thread;                       /* [const] as the kernel numbers it */
    bool is_worker;                   /* [const] */
    char text[BUFFER_BYTES];          /* [mu] */
};

struct full_trace {
    struct tutti__trace part; /* first: what others see */
    pthread_mutex_t mu;
    struct tutti__trace_buffer *buffers; /* [mu] */
    uint32_t buffer_count;               /* [mu] */
    uint64_t began_ns;                   /* [mu] */
    pthread_mutex_t file_mu;
    FILE *file;       /* [mu and file_mu to change; either to read] NULL: off */
    uint64_t written; /* [file_mu] events */
    uint64_t lost;    /* [file_mu] */
    int error;        /* [file_mu] errno of the first write that failed */
};

static struct full_trace *full_of(struct tutti__trace *trace)
{
    return (struct full_trace *)(void *)trace;
}

/* ---- texts -------------------------------------------------------------------------------- */

/* How many bytes the character at `text` has; 0: it is no valid UTF-8. */
static size_t character_bytes(const unsigned char *text, size_t left)
{
    unsigned char lead = text[0];
    size_t bytes = lead < 0x80 ? 1 : lead >= 0xC2 && lead <= 0xDF ? 2 : (lead & 0xF0) == 0xE0 ? 3 :
        lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
    if (bytes == 0 || bytes > left)
        return 0;
    for (size_t i = 1; i < bytes; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    }
    if ((lead == 0xE0 && text[1] < 0xA0) || (lead == 0xED && text[1] > 0x9F)
        || (lead == 0xF0 && text[1] < 0x90) || (lead == 0xF4 && text[1] > 0x8F))
        return 0;
    return bytes;
}

/* Copy `text` as it stands in JSON between quotes, cut so that it fits into `size` bytes. */
static void escape(char *out, size_t size, const char *text, size_t length)
{
    size_t used = 0;
    for (size_t at = 0; at < length && used + 8 < size;) {
        size_t bytes = character_bytes((const unsigned char *)text + at, length - at);
        unsigned char byte = (unsigned char)text[at];
        if (bytes == 0) {
            memcpy(out + used, "\xEF\xBF\xBD", 3); /* U+FFFD */
            used += 3;
        } else if (byte < 0x20 || byte == 0x7F || byte == '"' || byte == '\\') {
            used += (size_t)snprintf(out + used, 8, "\\u%04x", byte);
        } else {
            memcpy(out + used, text + at, bytes);
            used += bytes;
        }
        at += bytes == 0 ? 1 : bytes;
    }
    out[used] = '\0';
}

/* What events say of a record. */
struct subject {
    uint64_t id;
    char name[TEXT_BYTES];
    char line[LINE_BYTES];
};

/* Has it a row of its own? That of a pool task is written where it was started, which knows its line. */
static bool has_row(const struct tutti__record *record)
{
    return record->kind == RECORD_LOCAL && (record->flags & RECORD_STARTED) != 0
        && (record->flags & RECORD_EXPORT_HOME) == 0;
}

/* The userdata of the record is at `index`. */
static void describe(lua_State *L, struct tutti__record *record, int index, struct subject *subject)
{
    size_t length = 0;
    luaL_checkstack(L, LUA_MINSTACK, "to trace a task");
    index = lua_absindex(L, index);
    subject->id = tutti__record_id(record);
    tutti__record_push_name(L, record, index);
    const char *name = lua_tolstring(L, -1, &length);
    escape(subject->name, sizeof subject->name, name == NULL ? "" : name, length);
    lua_pop(L, 1);
    subject->line[0] = '\0';
    if (record->source == 0)
        return;
    tutti__record_push_place(L, record);
    const char *line = lua_tolstring(L, -1, &length);
    escape(subject->line, sizeof subject->line, line == NULL ? "" : line, length);
    lua_pop(L, 1);
}

/* ---- buffers ------------------------------------------------------------------------------ */

/* Give the file what is in the buffer, whose lock is held. */
static void flush_locked(struct full_trace *trace, struct tutti__trace_buffer *buffer)
{
    pthread_mutex_lock(&trace->file_mu);
    bool is_good = trace->error == 0
        && fwrite(buffer->text, 1, buffer->length, trace->file) == buffer->length;
    if (!is_good && trace->error == 0)
        trace->error = errno == 0 ? EIO : errno;
    *(is_good ? &trace->written : &trace->lost) += buffer->count;
    pthread_mutex_unlock(&trace->file_mu);
    buffer->length = 0;
    buffer->count = 0;
}

__attribute__((format(printf, 3, 4))) static void put_locked(struct full_trace *trace,
                                                             struct tutti__trace_buffer *buffer,
                                                             const char *format, ...)
{
    if (buffer->length + EVENT_BYTES > BUFFER_BYTES)
        flush_locked(trace, buffer);
    va_list args;
    va_start(args, format);
    int length = vsnprintf(buffer->text + buffer->length, EVENT_BYTES, format, args);
    va_end(args);
    buffer->length += (size_t)length; /* the texts in it are bounded, so it fits */
    buffer->count++;
}

/* A trace is on: the buffer takes events from now on. The locks of the trace and the buffer are held. */
static void open_locked(struct full_trace *trace, struct tutti__trace_buffer *buffer)
{
    char name[32];
    if (buffer->is_worker)
        (void)snprintf(name, sizeof name, "worker %" PRIu32, buffer->number);
    else
        (void)snprintf(name, sizeof name, "loop");
    buffer->is_open = true;
    buffer->began_ns = trace->began_ns;
    put_locked(trace, buffer,
               "{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":\"%s\"}},\n"
               "{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"thread_sort_index\",\"args\":"
               "{\"sort_index\":%" PRIu32 "}},\n",
               (int)getpid(), buffer->thread, name, (int)getpid(), buffer->thread, buffer->number);
    buffer->count = 0; /* a head is no event */
}

/* The buffer of the state, made when its first event comes while a trace is on; NULL: there is none. */
static struct tutti__trace_buffer *buffer_of(struct tutti__lua *lua)
{
    struct full_trace *trace = full_of(lua->trace);
    if (lua->trace_buffer != NULL)
        return lua->trace_buffer;
    struct tutti__trace_buffer *buffer = (struct tutti__trace_buffer *)malloc(sizeof *buffer);
    if (buffer == NULL)
        return NULL;
    buffer->is_open = false;
    buffer->length = 0;
    buffer->count = 0;
    buffer->thread = (int)gettid();
    buffer->is_worker = lua->is_worker;
    pthread_mutex_init(&buffer->mu, NULL);
    pthread_mutex_lock(&trace->mu);
    buffer->number = lua->is_worker ? ++trace->buffer_count : 0;
    buffer->next = trace->buffers;
    trace->buffers = buffer;
    pthread_mutex_lock(&buffer->mu);
    if (trace->file != NULL)
        open_locked(trace, buffer);
    pthread_mutex_unlock(&buffer->mu);
    pthread_mutex_unlock(&trace->mu);
    lua->trace_buffer = buffer;
    return buffer;
}

/* Returns with its lock held; NULL: the trace is over, or there is no memory, which is counted. */
static struct tutti__trace_buffer *lock_buffer(struct tutti__lua *lua)
{
    struct full_trace *trace = full_of(lua->trace);
    struct tutti__trace_buffer *buffer = buffer_of(lua);
    if (buffer == NULL) {
        pthread_mutex_lock(&trace->file_mu);
        trace->lost++;
        pthread_mutex_unlock(&trace->file_mu);
        return NULL;
    }
    pthread_mutex_lock(&buffer->mu);
    if (buffer->is_open)
        return buffer;
    pthread_mutex_unlock(&buffer->mu);
    return NULL;
}

/* ---- events ------------------------------------------------------------------------------- */

/* Microseconds since the trace began; what began earlier began then. */
static double since(const struct tutti__trace_buffer *buffer, uint64_t at_ns)
{
    return at_ns <= buffer->began_ns ? 0.0 : (double)(at_ns - buffer->began_ns) * 1e-3;
}

/* The first or last event of a task: `ph` is b or e. */
static void put_task(struct tutti__lua *lua, char ph, const struct subject *subject, uint64_t at_ns,
                     const char *state)
{
    struct tutti__trace_buffer *buffer = lock_buffer(lua);
    if (buffer == NULL)
        return;
    put_locked(full_of(lua->trace), buffer,
               "{\"ph\":\"%c\",\"cat\":\"task\",\"id\":\"%" PRIu32 ".%" PRIu64 "\",\"pid\":%d,\"tid\":%d,"
               "\"ts\":%.3f,\"name\":\"%s\",\"args\":{\"task\":%" PRIu64 ",\"%s\":\"%s\"}},\n",
               ph, buffer->number, subject->id, (int)getpid(), buffer->thread, since(buffer, at_ns),
               subject->name, subject->id, ph == 'b' ? "line" : "state", ph == 'b' ? subject->line : state);
    pthread_mutex_unlock(&buffer->mu);
}

void tutti__trace_task_begins(lua_State *L, struct tutti__record *record)
{
    struct subject subject;
    if (!has_row(record))
        return;
    tutti__record_push(L, record);
    describe(L, record, -1, &subject);
    lua_pop(L, 1);
    put_task(record->lua, 'b', &subject, tutti__bridge_now_ns(record->lua->engine), NULL);
}

void tutti__trace_ran(lua_State *L, struct tutti__record *record, uint64_t began_ns)
{
    struct tutti__lua *lua = record->lua;
    struct subject subject;
    uint64_t now_ns = tutti__bridge_now_ns(lua->engine);
    tutti__record_push(L, record);
    describe(L, record, -1, &subject);
    lua_pop(L, 1);
    struct tutti__trace_buffer *buffer = lock_buffer(lua);
    if (buffer == NULL)
        return;
    put_locked(full_of(lua->trace), buffer,
               "{\"ph\":\"X\",\"cat\":\"run\",\"pid\":%d,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,\"name\":\"%s\","
               "\"args\":{\"task\":%" PRIu64 ",\"line\":\"%s\"}},\n",
               (int)getpid(), buffer->thread, since(buffer, began_ns), (double)(now_ns - began_ns) * 1e-3,
               subject.name, subject.id, subject.line);
    pthread_mutex_unlock(&buffer->mu);
}

void tutti__trace_task_ends(lua_State *L, struct tutti__record *record, int index)
{
    static const char *const states[] = { "done", "failed", "cancelled", "skipped" };
    struct tutti__lua *lua = record->lua;
    bool is_remote = record->kind == RECORD_REMOTE && record->parent != NULL;
    if (!is_remote && !has_row(record))
        return;
    struct subject subject;
    describe(L, record, index, &subject);
    uint64_t now_ns = tutti__bridge_now_ns(lua->engine);
    uint64_t age_ms = (uint32_t)((uint32_t)(now_ns / 1000000u) - record->born_ms);
    if (is_remote) /* what it stands for begins elsewhere */
        put_task(lua, 'b', &subject, now_ns - age_ms * 1000000u, NULL);
    put_task(lua, 'e', &subject, now_ns, states[record->state - TUTTI_TASK_DONE]);
}

/* ---- on and off --------------------------------------------------------------------------- */

/* Begin; the lock is held. Returns: 0, or errno. */
static int begin_locked(struct full_trace *trace, const char *path, uint64_t now_ns)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return errno;
    trace->began_ns = now_ns;
    pthread_mutex_lock(&trace->file_mu);
    trace->file = file;
    trace->written = trace->lost = 0;
    trace->error = fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n", file) == EOF ? EIO : 0;
    pthread_mutex_unlock(&trace->file_mu);
    for (struct tutti__trace_buffer *buffer = trace->buffers; buffer != NULL; buffer = buffer->next) {
        pthread_mutex_lock(&buffer->mu);
        open_locked(trace, buffer);
        pthread_mutex_unlock(&buffer->mu);
    }
    TUTTI_STORE(&trace->part.is_on, true, relaxed);
    return 0;
}

/* End; the lock is held and a trace is on. Returns: 0, or the errno of the first write that failed. */
static int end_locked(struct full_trace *trace)
{
    TUTTI_STORE(&trace->part.is_on, false, relaxed);
    for (struct tutti__trace_buffer *buffer = trace->buffers; buffer != NULL; buffer = buffer->next) {
        pthread_mutex_lock(&buffer->mu);
        flush_locked(trace, buffer);
        buffer->is_open = false;
        pthread_mutex_unlock(&buffer->mu);
    }
    pthread_mutex_lock(&trace->file_mu);
    int written = fprintf(trace->file,
                          "{\"ph\":\"M\",\"pid\":%d,\"name\":\"process_name\",\"args\":"
                          "{\"name\":\"tutti\"}}\n]}\n", (int)getpid());
    int closed = fclose(trace->file);
    if (trace->error == 0 && (written < 0 || closed != 0))
        trace->error = errno == 0 ? EIO : errno;
    trace->file = NULL;
    int error = trace->error;
    pthread_mutex_unlock(&trace->file_mu);
    return error;
}

struct tutti__trace *tutti__trace_new(void)
{
    struct full_trace *trace = (struct full_trace *)calloc(1, sizeof *trace);
    if (trace == NULL)
        return NULL;
    TUTTI_STORE(&trace->part.is_on, false, relaxed); /* nobody else knows it yet */
    pthread_mutex_init(&trace->mu, NULL);
    pthread_mutex_init(&trace->file_mu, NULL);
    return &trace->part;
}

void tutti__trace_free(struct tutti__trace *part)
{
    struct full_trace *trace = full_of(part);
    if (trace == NULL)
        return;
    if (trace->file != NULL)
        (void)end_locked(trace); /* the last thread: nobody is left to tell */
    while (trace->buffers != NULL) {
        struct tutti__trace_buffer *buffer = trace->buffers;
        trace->buffers = buffer->next;
        pthread_mutex_destroy(&buffer->mu);
        free(buffer);
    }
    pthread_mutex_destroy(&trace->file_mu);
    pthread_mutex_destroy(&trace->mu);
    free(trace);
}

/* core.trace_on(path) -> true | nil, text   [-1, +2, v] */
static int l_trace_on(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    const char *path = luaL_checkstring(L, 1);
    struct full_trace *trace = full_of(lua->trace);
    pthread_mutex_lock(&trace->mu);
    bool was_on = trace->file != NULL;
    int error = was_on ? 0 : begin_locked(trace, path, tutti__bridge_now_ns(lua->engine));
    pthread_mutex_unlock(&trace->mu);
    if (was_on || error != 0) {
        lua_pushnil(L);
        lua_pushstring(L, was_on ? "a trace is on already" : strerror(error));
        return 2;
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* core.trace_off() -> events written, lost, text of why | nil: none is on   [-0, +3, m] */
static int l_trace_off(lua_State *L)
{
    struct full_trace *trace = full_of(tutti__lua_of(L)->trace);
    pthread_mutex_lock(&trace->mu);
    bool was_on = trace->file != NULL;
    int error = was_on ? end_locked(trace) : 0;
    uint64_t written = trace->written;
    uint64_t lost = trace->lost;
    pthread_mutex_unlock(&trace->mu);
    if (!was_on)
        return 0;
    lua_pushinteger(L, (lua_Integer)written);
    lua_pushinteger(L, (lua_Integer)lost);
    if (error == 0)
        return 2;
    lua_pushstring(L, strerror(error));
    return 3;
}

/* core.trace_begun(task): a task of this state that has begun before the trace   [-1, +0, v] */
static int l_trace_begun(lua_State *L)
{
    struct tutti__record *record = tutti__record_check(L, tutti__lua_of(L), 1);
    if (!tutti__record_is_settled(record) && tutti__trace_is_on(record->lua))
        tutti__trace_task_begins(L, record);
    return 0;
}

const luaL_Reg tutti__trace_functions[] = {
    { "trace_on", l_trace_on },
    { "trace_off", l_trace_off },
    { "trace_begun", l_trace_begun },
    { NULL, NULL },
};
