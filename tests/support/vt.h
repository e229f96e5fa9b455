/* SPDX-License-Identifier: MIT */
/*
 * vt.h - a terminal for unit tests: bytes in, screen out.
 *
 * It knows what the live view uses, and what tests print: wrapping with a cursor that hangs at the end of a
 * full row, scrolling with all that scrolled away kept, IND, CUU, CUD, CHA, DECSC and DECRC, ED and EL from
 * the cursor on, no wrapping on request. Characters of two cells are those of CJK, combining ones U+0300 to
 * U+036F.
 *
 * Layer: tests only; includes nothing of tutti.
 */
#ifndef TUTTI_TESTS_SUPPORT_VT_H
#define TUTTI_TESTS_SUPPORT_VT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VT_COLS_MAX = 256, VT_ROWS_MAX = 64, VT_CELL = 16, VT_KEPT = 1 << 20 };

struct vt {
    int cols, rows;
    int x, y;                      /* x == cols: hangs at the end of a full row */
    int saved_x, saved_y;
    bool no_wrap;
    bool is_wrong;                 /* a sequence that it does not know */
    char cells[VT_ROWS_MAX][VT_COLS_MAX][VT_CELL];
    bool wrapped[VT_ROWS_MAX];     /* goes on in the next row */
    char *kept;                    /* what has scrolled away */
    size_t kept_size;
};

static void vt_begin(struct vt *vt, int cols, int rows)
{
    memset(vt, 0, sizeof *vt);
    vt->cols = cols;
    vt->rows = rows;
    vt->kept = (char *)malloc(VT_KEPT);
}

static void vt_end(struct vt *vt)
{
    free(vt->kept);
}

/* A row's text without blanks at its end. */
static size_t vt_row(const struct vt *vt, int y, char *to)
{
    size_t size = 0;
    size_t end = 0;
    for (int x = 0; x < vt->cols; x++) {
        const char *cell = vt->cells[y][x];
        if (cell[0] == '\1')
            continue; /* the second half of a wide one */
        size_t length = cell[0] == '\0' ? 1 : strlen(cell);
        memcpy(to + size, cell[0] == '\0' ? " " : cell, length);
        size += length;
        if (cell[0] != '\0' && strcmp(cell, " ") != 0)
            end = size;
    }
    end = vt->wrapped[y] ? size : end;
    if (!vt->wrapped[y])
        to[end++] = '\n';
    return end;
}

static void vt_scroll(struct vt *vt)
{
    if (vt->kept_size + VT_COLS_MAX * VT_CELL < VT_KEPT)
        vt->kept_size += vt_row(vt, 0, vt->kept + vt->kept_size);
    memmove(vt->cells[0], vt->cells[1], sizeof vt->cells[0] * (size_t)(vt->rows - 1));
    memmove(vt->wrapped, vt->wrapped + 1, sizeof vt->wrapped[0] * (size_t)(vt->rows - 1));
    memset(vt->cells[vt->rows - 1], 0, sizeof vt->cells[0]);
    vt->wrapped[vt->rows - 1] = false;
}

static void vt_down(struct vt *vt)
{
    if (vt->y == vt->rows - 1)
        vt_scroll(vt);
    else
        vt->y++;
}

static void vt_clear(struct vt *vt, int y, int from)
{
    for (int x = from; x < vt->cols; x++)
        vt->cells[y][x][0] = '\0';
    vt->wrapped[y] = false;
}

static int vt_width(unsigned long c)
{
    if ((c >= 0x300 && c <= 0x36F) || (c >= 0x302A && c <= 0x302F) || c == 0x3099 || c == 0x309A)
        return 0;
    if (c == 0x303F || (c >= 0x4DC0 && c <= 0x4DFF))
        return 1;
    return (c >= 0x3000 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7A3) ? 2 : 1;
}

static void vt_put(struct vt *vt, const char *bytes, size_t size, unsigned long c)
{
    int width = vt_width(c);
    if (width == 0) {
        if (vt->x > 0 && strlen(vt->cells[vt->y][vt->x - 1]) + size < VT_CELL)
            strncat(vt->cells[vt->y][vt->x - 1], bytes, size);
        return;
    }
    if (vt->x + width > vt->cols && vt->no_wrap)
        vt->x = vt->cols - width;
    if (vt->x + width > vt->cols) {
        vt->wrapped[vt->y] = true;
        vt_down(vt);
        vt->x = 0;
    }
    memcpy(vt->cells[vt->y][vt->x], bytes, size);
    vt->cells[vt->y][vt->x][size] = '\0';
    if (width == 2)
        strcpy(vt->cells[vt->y][vt->x + 1], "\1");
    vt->x += width;
    if (vt->no_wrap && vt->x > vt->cols - 1)
        vt->x = vt->cols - 1;
}

static void vt_csi(struct vt *vt, const char *args, char final)
{
    int number = args[0] == '?' ? atoi(args + 1) : atoi(args);
    int column = vt->x < vt->cols ? vt->x : vt->cols - 1;
    if (final == 'A') {
        vt->y = vt->y > number ? vt->y - number : 0;
        vt->x = column;
    } else if (final == 'B') {
        vt->y = vt->y < vt->rows - 1 ? vt->y + 1 : vt->y;
        vt->x = column;
    } else if (final == 'G') {
        vt->x = number - 1;
    } else if (final == 'J' || final == 'K') {
        vt_clear(vt, vt->y, column);
        for (int y = vt->y + 1; final == 'J' && y < vt->rows; y++)
            vt_clear(vt, y, 0);
    } else if ((final == 'h' || final == 'l') && args[0] == '?') {
        if (number == 7)
            vt->no_wrap = final == 'l';
        vt->is_wrong = vt->is_wrong || (number != 7 && number != 2026);
    } else if (final != 'm') {
        vt->is_wrong = true;
    }
}

/* Returns the bytes of the sequence behind ESC. */
static size_t vt_escape(struct vt *vt, const char *bytes)
{
    char args[32] = "";
    if (bytes[0] == '[') {
        size_t length = strcspn(bytes + 1, "ABCDEFGHJKSTfhlmnrsu");
        memcpy(args, bytes + 1, length < sizeof args ? length : 0);
        vt_csi(vt, args, bytes[1 + length]);
        return length + 2;
    }
    if (bytes[0] == ']') /* a title */
        return strcspn(bytes, "\007") + 1;
    if (bytes[0] == 'D') { /* as tmux: the column stays, but nothing hangs any more */
        vt_down(vt);
    } else if (bytes[0] == '7') {
        vt->saved_x = vt->x;
        vt->saved_y = vt->y;
    } else if (bytes[0] == '8') {
        vt->x = vt->saved_x;
        vt->y = vt->saved_y;
    } else {
        vt->is_wrong = true;
    }
    return 1;
}

/* Whole sequences only. */
static void vt_feed(struct vt *vt, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size;) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == 0x1B) {
            i += 1 + vt_escape(vt, bytes + i + 1);
            continue;
        }
        size_t length = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
        unsigned long c = length == 1 ? byte : byte & (0x7Fu >> length);
        for (size_t k = 1; k < length; k++)
            c = c << 6 | ((unsigned char)bytes[i + k] & 0x3F);
        if (byte == '\n')
            vt_down(vt);
        if (byte == '\n' || byte == '\r')
            vt->x = 0;
        else if (byte == '\b')
            vt->x -= vt->x > 0;
        else if (byte == '\t' && vt->x < vt->cols)
            vt->x = (vt->x | 7) + 1 < vt->cols ? (vt->x | 7) + 1 : vt->cols - 1;
        else if (byte >= 0x20)
            vt_put(vt, bytes + i, length, c);
        i += length;
    }
}

/* All that was ever shown, scrolled away or not; empty rows at the end left out. Free it. */
static char *vt_text(const struct vt *vt)
{
    char *text = (char *)malloc(vt->kept_size + (size_t)vt->rows * VT_COLS_MAX * VT_CELL + 1);
    size_t size = vt->kept_size;
    memcpy(text, vt->kept, size);
    for (int y = 0; y < vt->rows; y++)
        size += vt_row(vt, y, text + size);
    while (size > 1 && text[size - 1] == '\n' && text[size - 2] == '\n')
        size--;
    text[size] = '\0';
    return text;
}

/* The screen alone. Free it. */
static char *vt_screen(const struct vt *vt)
{
    struct vt *now = (struct vt *)malloc(sizeof *now);
    *now = *vt;
    now->kept_size = 0;
    char *text = vt_text(now);
    free(now);
    return text;
}

#endif
