/* SPDX-License-Identifier: MIT */
/*
 * test_blocks.c - the heap of a Lua state: blocks of all sizes are kept apart, moved with what is in them,
 * and used again.
 *
 * Layer: tests.
 */
#include "base/blocks.h"
#include "support/tap.h"

enum { BLOCKS = 4000, STEPS = 200000, LARGEST = 3000 };

struct block {
    unsigned char *at;
    size_t size;
    unsigned char mark;
};

static struct block blocks[BLOCKS];
static uint64_t random_state;

static uint64_t next_random(void)
{
    return tap_random(&random_state);
}

static bool is_whole(const struct block *block)
{
    for (size_t i = 0; i < block->size; i++) {
        if (block->at[i] != block->mark) {
            return false;
        }
    }
    return true;
}

/* Sizes as a Lua state asks for them: small ones most of the time. */
static size_t any_size(void)
{
    uint64_t draw = next_random();
    return 1 + (size_t)(draw >> 8) % (draw % 8 == 0 ? LARGEST : 200);
}

static bool resize(struct tutti__blocks *heap, struct block *block, size_t size)
{
    size_t kept = block->size < size ? block->size : size;
    unsigned char *at = tutti__blocks_realloc(heap, block->at, block->at == NULL ? 5 : block->size, size);
    struct block start = { at, kept, block->mark };
    if ((at == NULL) != (size == 0) || (block->at != NULL && size != 0 && !is_whole(&start))) {
        return false;
    }
    block->at = at;
    block->size = size;
    block->mark = (unsigned char)next_random();
    if (size > 0) {
        memset(at, block->mark, size);
    }
    return true;
}

static void mixed(void)
{
    struct tutti__blocks *heap = tutti__blocks_new();
    REQUIRE(heap != NULL, "a heap is made");
    bool whole = true;
    for (int i = 0; i < STEPS; i++) {
        struct block *block = &blocks[next_random() % BLOCKS];
        whole = whole && is_whole(block);
        whole = whole && resize(heap, block, next_random() % 3 == 0 ? 0 : any_size());
    }
    OK(whole, "blocks keep what is in them through %d steps", STEPS);
    whole = true;
    for (int i = 0; i < BLOCKS; i++) {
        whole = whole && is_whole(&blocks[i]);
        whole = whole && resize(heap, &blocks[i], 0);
    }
    OK(whole, "and to the end");
    tutti__blocks_release(heap);
}

/* The heap goes with its last block: nothing is left for the leak checker, and nothing is touched later. */
static void last_block(void)
{
    struct tutti__blocks *heap = tutti__blocks_new();
    REQUIRE(heap != NULL, "another heap is made");
    void *small = tutti__blocks_realloc(heap, NULL, 0, 40);
    void *large = tutti__blocks_realloc(heap, NULL, 0, 4000);
    tutti__blocks_release(heap);
    OK(small != NULL && large != NULL, "blocks outlive the hold");
    OK(tutti__blocks_realloc(heap, small, 40, 0) == NULL, "the small one is freed");
    OK(tutti__blocks_realloc(heap, large, 4000, 0) == NULL, "and the large one");
}

int main(void)
{
    TAP_BEGIN();
    random_state = tap_seed();
    mixed();
    last_block();
    return TAP_END();
}
