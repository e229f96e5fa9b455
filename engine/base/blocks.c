/* SPDX-License-Identifier: MIT */
/*
 * blocks.c - see blocks.h.
 *
 * Layer: base. Locks: none. Thread: one at a time.
 * Invariant: a page is in the list of its size exactly while it has both a block in use and one free.
 */
#include "base/blocks.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define GRAIN ((size_t)16)
#define SMALL_MAX ((size_t)1024)
#define PAGE_BYTES ((size_t)64 << 10)
#define ARENA_BYTES TUTTI__HUGE_PAGE_BYTES

/* A heap of so many arenas asks for huge pages from then on: with 100,000 sleeping tasks most of the time
 * went into page faults and into finding pages. */
enum { SIZES = 65, ARENAS_SMALL = 8 };

/* At the start of each page; `heap`, `free_pages` and the arena's links count in page 0 alone. */
struct page {
    struct page *next; /* others of this size with room */
    struct page *prev;
    void *free;          /* blocks that have been used before, linked through their first word */
    uint32_t used;       /* blocks in use */
    uint32_t bump;       /* behind it no block has ever been used */
    uint32_t block_bytes;
    uint32_t free_pages; /* a bit for each page of the arena */
    struct page *arena_next; /* arenas with free pages */
    struct page *arena_prev;
};

struct tutti__blocks {
    struct page *sizes[SIZES]; /* pages with room, by size in grains */
    struct page *arenas;       /* those with free pages */
    uint32_t arena_count;
    uint32_t empty_count;      /* arenas without any used page */
    size_t live;               /* used pages, large blocks, the hold */
};

/* Large blocks, and all of them under a sanitizer, which sees more in malloc. */
#if defined(__SANITIZE_ADDRESS__)
static const size_t small_max = 0;
#else
static const size_t small_max = SMALL_MAX;
#endif

static struct page *page_of(const void *block)
{
    return (struct page *)(void *)((uintptr_t)block & ~(uintptr_t)(PAGE_BYTES - 1));
}

static struct page *arena_of(const void *block)
{
    return (struct page *)(void *)((uintptr_t)block & ~(uintptr_t)(ARENA_BYTES - 1));
}

static bool has_room(const struct page *page)
{
    return page->free != NULL || page->bump + page->block_bytes <= PAGE_BYTES;
}

/* ---- lists ---------------------------------------------------------------------------------- */

static void link_page(struct page **list, struct page *page)
{
    page->prev = NULL;
    page->next = *list;
    if (*list != NULL) {
        (*list)->prev = page;
    }
    *list = page;
}

static void unlink_page(struct page **list, struct page *page)
{
    if (page->prev != NULL) {
        page->prev->next = page->next;
    } else {
        *list = page->next;
    }
    if (page->next != NULL) {
        page->next->prev = page->prev;
    }
}

static void link_arena(struct tutti__blocks *heap, struct page *arena)
{
    arena->arena_prev = NULL;
    arena->arena_next = heap->arenas;
    if (heap->arenas != NULL) {
        heap->arenas->arena_prev = arena;
    }
    heap->arenas = arena;
}

static void unlink_arena(struct tutti__blocks *heap, struct page *arena)
{
    if (arena->arena_prev != NULL) {
        arena->arena_prev->arena_next = arena->arena_next;
    } else {
        heap->arenas = arena->arena_next;
    }
    if (arena->arena_next != NULL) {
        arena->arena_next->arena_prev = arena->arena_prev;
    }
}

/* ---- pages ---------------------------------------------------------------------------------- */

static const uint32_t all_pages = UINT32_MAX;
_Static_assert(ARENA_BYTES / PAGE_BYTES == 32, "a bit for each page");

static struct page *arena_new(struct tutti__blocks *heap)
{
    struct page *arena = tutti__pages_new(ARENA_BYTES, ARENA_BYTES);
    if (arena == NULL) {
        return NULL;
    }
    if (heap->arena_count >= ARENAS_SMALL) {
        tutti__pages_prefer_huge(arena, ARENA_BYTES);
    }
    arena->free_pages = all_pages;
    heap->arena_count++;
    heap->empty_count++;
    link_arena(heap, arena);
    return arena;
}

static struct page *page_new(struct tutti__blocks *heap, size_t grains)
{
    struct page *arena = heap->arenas != NULL ? heap->arenas : arena_new(heap);
    if (arena == NULL) {
        return NULL;
    }
    uint32_t number = (uint32_t)__builtin_ctz(arena->free_pages);
    heap->empty_count -= arena->free_pages == all_pages;
    arena->free_pages &= ~(UINT32_C(1) << number);
    if (arena->free_pages == 0) {
        unlink_arena(heap, arena);
    }
    struct page *page = (struct page *)(void *)((char *)arena + number * PAGE_BYTES);
    page->free = NULL;
    page->used = 0;
    page->block_bytes = (uint32_t)(grains * GRAIN);
    page->bump = (uint32_t)((sizeof *page + GRAIN - 1) / GRAIN * GRAIN);
    link_page(&heap->sizes[grains], page);
    heap->live++;
    return page;
}

static void heap_free(struct tutti__blocks *heap)
{
    while (heap->arenas != NULL) { /* all of them are empty, so all are listed */
        struct page *arena = heap->arenas;
        unlink_arena(heap, arena);
        tutti__pages_free(arena, ARENA_BYTES);
    }
    free(heap);
}

/* No block of the page is in use. One empty arena is kept: a state that breathes maps nothing. */
static void page_drop(struct tutti__blocks *heap, struct page *page)
{
    struct page *arena = arena_of(page);
    uint32_t number = (uint32_t)(((uintptr_t)page - (uintptr_t)arena) / PAGE_BYTES);
    unlink_page(&heap->sizes[page->block_bytes / GRAIN], page);
    if (arena->free_pages == 0) {
        link_arena(heap, arena);
    }
    arena->free_pages |= UINT32_C(1) << number;
    heap->live--;
    if (arena->free_pages == all_pages && heap->empty_count++ > 0) {
        unlink_arena(heap, arena);
        heap->arena_count--;
        heap->empty_count--;
        tutti__pages_free(arena, ARENA_BYTES);
    }
    if (heap->live == 0) {
        heap_free(heap);
    }
}

/* ---- blocks --------------------------------------------------------------------------------- */

static void *take_small(struct tutti__blocks *heap, size_t bytes)
{
    size_t grains = (bytes + GRAIN - 1) / GRAIN;
    struct page *page = heap->sizes[grains];
    if (page == NULL && (page = page_new(heap, grains)) == NULL) {
        return NULL;
    }
    void *block = page->free;
    if (block != NULL) {
        memcpy(&page->free, block, sizeof page->free);
    } else {
        block = (char *)page + page->bump;
        page->bump += page->block_bytes;
    }
    page->used++;
    if (!has_room(page)) {
        unlink_page(&heap->sizes[grains], page);
    }
    return block;
}

static void give_small(struct tutti__blocks *heap, void *block)
{
    struct page *page = page_of(block);
    bool was_full = !has_room(page);
    memcpy(block, &page->free, sizeof page->free);
    page->free = block;
    if (was_full) {
        link_page(&heap->sizes[page->block_bytes / GRAIN], page);
    }
    if (--page->used == 0) {
        page_drop(heap, page);
    }
}

static void *take(struct tutti__blocks *heap, size_t bytes)
{
    if (bytes <= small_max) {
        return take_small(heap, bytes);
    }
    void *block = malloc(bytes);
    heap->live += block != NULL;
    return block;
}

static void give(struct tutti__blocks *heap, void *block, size_t bytes)
{
    if (bytes <= small_max) {
        give_small(heap, block);
        return;
    }
    free(block);
    tutti__blocks_release(heap);
}

struct tutti__blocks *tutti__blocks_new(void)
{
    struct tutti__blocks *heap = calloc(1, sizeof *heap);
    if (heap != NULL) {
        heap->live = 1;
    }
    return heap;
}

void tutti__blocks_release(struct tutti__blocks *heap)
{
    if (--heap->live == 0) {
        heap_free(heap);
    }
}

void *tutti__blocks_realloc(void *user, void *ptr, size_t old_bytes, size_t bytes)
{
    struct tutti__blocks *heap = user;
    if (ptr == NULL) {
        return bytes == 0 ? NULL : take(heap, bytes);
    }
    if (bytes == 0) {
        give(heap, ptr, old_bytes);
        return NULL;
    }
    bool was_small = old_bytes <= small_max;
    if (was_small && bytes <= page_of(ptr)->block_bytes && bytes + GRAIN > page_of(ptr)->block_bytes) {
        return ptr; /* the same size in grains */
    }
    if (!was_small && bytes > small_max) {
        return realloc(ptr, bytes);
    }
    void *moved = take(heap, bytes);
    if (moved == NULL) {
        return was_small && bytes < old_bytes ? ptr : NULL; /* its page knows how large it really is */
    }
    memcpy(moved, ptr, bytes < old_bytes ? bytes : old_bytes);
    give(heap, ptr, old_bytes);
    return moved;
}
