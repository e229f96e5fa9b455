/* SPDX-License-Identifier: MIT */
/*
 * view_text.c - see view_text.h.
 *
 * Widths are those of the C library's C.UTF-8, whatever the locale of the process is.
 *
 * Layer: cli. Thread: any. Locks: none of its own (pthread_once).
 * Invariant: a name is looked at in its first CELLS_MAX characters only: the arrays are enough.
 */
#include "cli/view_text.h"

#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

enum { CELLS_MAX = 512 };

static pthread_once_t locale_once = PTHREAD_ONCE_INIT;
static locale_t utf8; /* 0: there is none, then all beyond ASCII is "?" */

static void open_locale(void)
{
    utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

void cli_text_add(struct cli_text *text, const char *bytes, size_t size)
{
    if (size > text->capacity - text->size)
        return;
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

void cli_text_addf(struct cli_text *text, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (size > 0)
        cli_text_add(text, line, (size_t)size < sizeof line ? (size_t)size : sizeof line - 1);
}

/* One character of a name: where it lies, and its cells. */
struct glyph {
    const char *at; /* NULL: show "?" */
    unsigned char size;
    unsigned char cells;
};

/* Marks that turn the direction of all that follows. */
static bool turns_direction(wchar_t c)
{
    return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E || c == 0x200F;
}

/* An emoji's variation selector makes what stands before it two cells wide in some terminals; joiners
 * make one of two in some. Here each counts for itself: a row may end early, but never too late. */
static int cells_of(wchar_t c)
{
    if (c == 0xFE0F)
        return 1;
    return turns_direction(c) ? -1 : wcwidth(c);
}

static struct glyph next_glyph(const char **at, const char *end)
{
    static const struct glyph unknown = { NULL, 1, 1 };
    wchar_t c = 0;
    mbstate_t state = { 0 };
    const char *from = *at;
    size_t size = mbrtowc(&c, from, (size_t)(end - from), &state);
    int cells = size == 0 || size > 4 ? -1 : cells_of(c);
    *at = from + (size == 0 || size > 4 ? 1 : size);
    return cells < 0 ? unknown : (struct glyph){ from, (unsigned char)size, (unsigned char)cells };
}

/* Returns how many; *cells is their sum. */
static int read_glyphs(const char *name, struct glyph *glyphs, int *cells)
{
    const char *end = name + strlen(name);
    int count = 0;
    *cells = 0;
    pthread_once(&locale_once, open_locale);
    locale_t old = uselocale(utf8);
    while (name < end && count < CELLS_MAX) {
        glyphs[count] = next_glyph(&name, end);
        *cells += glyphs[count].cells;
        count++;
    }
    (void)uselocale(old);
    return count;
}

int cli_text_width(const char *name)
{
    struct glyph glyphs[CELLS_MAX];
    int cells = 0;
    (void)read_glyphs(name, glyphs, &cells);
    return cells;
}

int cli_text_cells(const char *bytes, size_t size, size_t *used)
{
    const char *at = bytes;
    pthread_once(&locale_once, open_locale);
    locale_t old = uselocale(utf8);
    struct glyph glyph = next_glyph(&at, bytes + size);
    (void)uselocale(old);
    *used = (size_t)(at - bytes);
    return glyph.cells;
}

static void put_glyph(struct cli_text *text, struct glyph glyph)
{
    cli_text_add(text, glyph.at == NULL ? "?" : glyph.at, glyph.at == NULL ? 1 : glyph.size);
}

/* As many from the beginning as fit into `cells`. Returns how many; *used is their width. */
static int count_head(const struct glyph *glyphs, int count, int cells, int *used)
{
    int n = 0;
    *used = 0;
    while (n < count && *used + glyphs[n].cells <= cells)
        *used += glyphs[n++].cells;
    return n;
}

static int count_tail(const struct glyph *glyphs, int count, int cells, int *used)
{
    int n = 0;
    *used = 0;
    while (n < count && *used + glyphs[count - 1 - n].cells <= cells)
        *used += glyphs[count - 1 - n++].cells;
    while (n > 0 && glyphs[count - n].cells == 0) /* a mark without the letter it belongs to */
        n--;
    return n;
}

int cli_text_put(struct cli_text *text, const char *name, int cells)
{
    struct glyph glyphs[CELLS_MAX];
    int width = 0;
    int used_head = 0;
    int used_tail = 0;
    int count = read_glyphs(name, glyphs, &width);
    bool is_cut = width > cells;
    int dots = !is_cut ? 0 : cells >= 8 ? 2 : cells >= 2 ? 1 : 0;
    int room = cells - dots;
    int head = count_head(glyphs, count, is_cut ? room - room / 2 : width, &used_head);
    int tail = is_cut ? count_tail(glyphs, count, room - used_head, &used_tail) : 0;
    for (int i = 0; i < head; i++)
        put_glyph(text, glyphs[i]);
    cli_text_add(text, "..", (size_t)dots);
    for (int i = count - tail; i < count; i++)
        put_glyph(text, glyphs[i]);
    return used_head + dots + used_tail;
}

static bool is_inside(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

void cli_text_copy(char *to, size_t capacity, const char *from, size_t size)
{
    size_t head = size;
    size_t tail = 0;
    if (size >= capacity) {
        head = (capacity - 3) / 2;
        tail = capacity - 3 - head;
        while (head > 0 && is_inside(from[head]))
            head--;
        while (tail > 0 && is_inside(from[size - tail]))
            tail--;
    }
    memcpy(to, from, head);
    if (size >= capacity) {
        memcpy(to + head, "..", 2);
        memcpy(to + head + 2, from + size - tail, tail);
        head += 2 + tail;
    }
    to[head] = '\0';
    for (size_t i = 0; i < head; i++) {
        if (to[i] == '\0')
            to[i] = '?';
    }
}
