/* SPDX-License-Identifier: MIT */
/*
 * parallel.c - ranges: how they are cut, and what is done with the pieces.
 *
 * A range is cut into chunks of `grain` indexes. parallel_for hands out chunks. parallel_reduce hands out
 * blocks of neighbouring chunks, so many that threads have enough to share and so few that their partial
 * results need little memory; how it cuts depends on range and value alone, never on the threads.
 *
 * Layer: api. Locks: none.
 * Invariant: no sum of indexes is made that could exceed range.end.
 */
#include <string.h>

#include "api/engine.h"
#include "api/spread.h"
#include "base/alloc.h"
#include "base/limits.h"

/* With grain 0: so many chunks for each thread, to even out chunks that take unlike times. */
static const size_t chunks_per_thread = 8;
/* The same of a reduce, which does not look at the threads. */
static const size_t reduce_chunks = 256;
/* Partial results: at most so many, and at most so many bytes as long as there are enough to share. */
static const size_t blocks_max = 1024;
static const size_t blocks_min = 64;
static const size_t blocks_bytes = (size_t)16 << 20;
static const size_t value_bytes_max = (size_t)1 << 20;

/* A range cut into pieces of one size, but for the last. */
struct cut {
    size_t begin;
    size_t end;
    size_t size;    /* at least 1 */
    uint64_t count;
};

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0 ? 1 : 0);
}

static struct cut cut_range(const tutti_range *range, size_t size)
{
    uint64_t length = range->end - range->begin;
    uint64_t size_min = divide_up(length, TUTTI__SPREAD_STEPS_MAX);
    size = size < size_min ? (size_t)size_min : size;
    return (struct cut){ range->begin, range->end, size, divide_up(length, size) };
}

static tutti_range piece_of(const struct cut *cut, uint64_t number)
{
    size_t begin = cut->begin + (size_t)number * cut->size;
    size_t end = cut->end - begin > cut->size ? begin + cut->size : cut->end;
    return (tutti_range){ begin, end, 0 };
}

/* ---- for ------------------------------------------------------------------------------------ */

struct each {
    struct cut cut;
    tutti_range_fn fn;
    void *user;
};

static int do_chunk(void *user, uint64_t number)
{
    const struct each *each = user;
    tutti_range chunk = piece_of(&each->cut, number);
    return each->fn(each->user, chunk.begin, chunk.end);
}

TUTTI_API int tutti_parallel_for(tutti_engine *e, const tutti_range *range, tutti_range_fn fn,
                                 void *user)
{
    if (e == NULL || range == NULL || fn == NULL || range->begin > range->end) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    size_t length = range->end - range->begin;
    if (length == 0) {
        return TUTTI_OK;
    }
    size_t threads = (size_t)tutti__sched_workers(e->sched) + 1;
    size_t grain = range->grain != 0 ? range->grain
                                     : (size_t)divide_up(length, threads * chunks_per_thread);
    struct each each = { cut_range(range, grain), fn, user };
    struct tutti__spread work = { do_chunk, &each, each.cut.count };
    return tutti__spread(e, &work);
}

/* ---- reduce --------------------------------------------------------------------------------- */

struct reduction {
    const tutti_reduce_desc *desc;
    size_t grain;
    struct cut blocks;
    char *values;  /* a partial result for each block */
    size_t stride; /* bytes from one to the next: lines are not shared */
};

static int do_block(void *user, uint64_t number)
{
    const struct reduction *r = user;
    const tutti_reduce_desc *desc = r->desc;
    tutti_range block = piece_of(&r->blocks, number);
    void *value = r->values + (size_t)number * r->stride;
    memcpy(value, desc->identity, desc->value_bytes);
    for (size_t at = block.begin; at < block.end;) {
        size_t end = block.end - at > r->grain ? at + r->grain : block.end;
        int rc = desc->fold(desc->user, value, at, end);
        if (rc != TUTTI_OK) {
            return rc;
        }
        at = end;
    }
    return TUTTI_OK;
}

static bool is_reduce_valid(const tutti_reduce_desc *desc)
{
    return desc->struct_size == sizeof *desc && desc->range.begin <= desc->range.end &&
           desc->value_bytes != 0 && desc->value_bytes <= value_bytes_max &&
           desc->identity != NULL && desc->fold != NULL && desc->join != NULL;
}

static struct cut cut_blocks(const tutti_reduce_desc *desc, size_t grain)
{
    size_t limit = blocks_bytes / desc->value_bytes;
    limit = limit > blocks_max ? blocks_max : limit < blocks_min ? blocks_min : limit;
    struct cut chunks = cut_range(&desc->range, grain);
    /* Below `limit` chunks a block is one chunk; above, the product is far below the length. */
    return cut_range(&desc->range, (size_t)divide_up(chunks.count, limit) * chunks.size);
}

/* Fold and join all; the result is in the first value then. */
static int reduce(tutti_engine *e, struct reduction *r)
{
    struct tutti__spread work = { do_block, r, r->blocks.count };
    int rc = tutti__spread(e, &work);
    for (uint64_t i = 1; rc == TUTTI_OK && i < r->blocks.count; i++) {
        r->desc->join(r->desc->user, r->values, r->values + (size_t)i * r->stride);
    }
    return rc;
}

TUTTI_API int tutti_parallel_reduce(tutti_engine *e, const tutti_reduce_desc *desc, void *out)
{
    if (e == NULL || desc == NULL || out == NULL || !is_reduce_valid(desc)) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    size_t length = desc->range.end - desc->range.begin;
    if (length == 0) {
        memcpy(out, desc->identity, desc->value_bytes);
        return TUTTI_OK;
    }
    struct reduction r = { .desc = desc };
    r.grain = desc->range.grain != 0 ? desc->range.grain : (size_t)divide_up(length, reduce_chunks);
    r.blocks = cut_blocks(desc, r.grain);
    r.stride = (desc->value_bytes + TUTTI_CACHE_LINE - 1) / TUTTI_CACHE_LINE * TUTTI_CACHE_LINE;
    size_t bytes = (size_t)r.blocks.count * r.stride;
    r.values = tutti__memory_alloc(e->memory, TUTTI_CACHE_LINE, bytes);
    if (r.values == NULL) {
        return TUTTI_ENOMEM;
    }
    int rc = reduce(e, &r);
    if (rc == TUTTI_OK) {
        memcpy(out, r.values, desc->value_bytes);
    }
    tutti__memory_free(e->memory, r.values, bytes);
    return rc;
}
