/* SPDX-License-Identifier: MIT */
/*
 * prompt_paste.c - see prompt_paste.h.
 *
 * Layer: cli. Thread: the terminal's.
 */
#include "cli/prompt_paste.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As lua/tutti/repl/terminal.lua shows it where a chunk goes on. */
static const char more[] = ">> ";

static const char paste_begins[] = "\033[200~";
static const char paste_ends[] = "\033[201~";

static const struct cli_readline *rl; /* set once */
static char *above;                   /* lines, each with its newline; NULL: none */
static char shown[64];                /* the prompt of the line */

/* ---- reading ------------------------------------------------------------------------------ */

struct text {
    char *bytes; /* ends with a zero */
    size_t size;
    size_t room;
};

static bool add_byte(struct text *text, char byte)
{
    if (text->room < text->size + 2) {
        size_t room = text->room < 512 ? 1024 : text->room * 2;
        char *bytes = (char *)realloc(text->bytes, room);
        if (bytes == NULL)
            return false;
        text->bytes = bytes;
        text->room = room;
    }
    text->bytes[text->size++] = byte;
    text->bytes[text->size] = '\0';
    return true;
}

static bool has_end(const struct text *text)
{
    size_t size = sizeof paste_ends - 1;
    return text->size >= size
        && memcmp(text->bytes + text->size - size, paste_ends, size) == 0;
}

/* Up to the end of the paste; terminals send a carriage return for a newline. Returns false: out of
 * memory, or there is nothing more to be read. */
static bool read_paste(struct text *text)
{
    while (!has_end(text)) {
        int key = rl->rl_read_key();
        if (key < 0 || !add_byte(text, (char)(key == '\r' ? '\n' : key)))
            return false;
    }
    text->size -= sizeof paste_ends - 1;
    text->bytes[text->size] = '\0';
    return true;
}

/* ---- showing ------------------------------------------------------------------------------ */

/* A line that is part of the block from now on; what would move the cursor is shown as ^X. */
static void show_line(const char *prompt, const char *line, size_t size)
{
    FILE *out = *rl->rl_outstream;
    (void)fputs(prompt, out);
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)line[i];
        if (byte == 0x7F || (byte < ' ' && byte != '\t'))
            (void)fprintf(out, "^%c", byte ^ 0x40);
        else
            (void)fputc(byte, out);
    }
    (void)fputs("\r\n", out);
}

/* ---- the block ---------------------------------------------------------------------------- */

static bool keep(const char *lines, size_t size)
{
    size_t before = above == NULL ? 0 : strlen(above);
    char *longer = (char *)realloc(above, before + size + 1);
    if (longer == NULL)
        return false;
    memcpy(longer + before, lines, size);
    longer[before + size] = '\0';
    above = longer;
    return true;
}

/* What stands in the line up to its last newline before the cursor goes above it. */
static void put_above(void)
{
    char *line = *rl->rl_line_buffer;
    size_t size = (size_t)*rl->rl_point;
    while (size > 0 && line[size - 1] != '\n')
        size--;
    if (size == 0 || !keep(line, size))
        return;
    (void)rl->rl_clear_visible_line();
    for (size_t from = 0; from < size;) {
        size_t length = strcspn(line + from, "\n");
        show_line(shown, line + from, length);
        (void)snprintf(shown, sizeof shown, "%s", more);
        from += length + 1;
    }
    int point = *rl->rl_point - (int)size;
    char *rest = strdup(line + size);
    rl->rl_replace_line(rest == NULL ? "" : rest, 1);
    *rl->rl_point = rest == NULL ? 0 : point;
    free(rest);
    (void)rl->rl_set_prompt(more);
    (void)rl->rl_forced_update_display();
}

static int on_paste(int count, int key)
{
    (void)count;
    (void)key;
    struct text text = { 0 };
    if (read_paste(&text) && text.size > 0) {
        (void)rl->rl_insert_text(text.bytes);
        put_above();
    }
    free(text.bytes);
    return 0;
}

void cli_paste_open(const struct cli_readline *library)
{
    static const char *const maps[] = { "emacs", "vi-insert", "vi-command" };
    rl = library;
    (void)rl->rl_variable_bind("enable-bracketed-paste", "on");
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        (void)rl->rl_bind_keyseq_in_map(paste_begins, on_paste, rl->rl_get_keymap_by_name(maps[i]));
}

void cli_paste_begin(const char *prompt)
{
    (void)cli_paste_drop();
    (void)snprintf(shown, sizeof shown, "%s", prompt);
}

char *cli_paste_join(char *line)
{
    if (above == NULL || line == NULL)
        return line;
    if (*line == '\0') /* Enter behind whole lines adds none */
        above[strlen(above) - 1] = '\0';
    char *whole = keep(line, strlen(line)) ? above : NULL;
    if (whole != NULL)
        above = NULL;
    free(line);
    return whole;
}

bool cli_paste_drop(void)
{
    bool had = above != NULL;
    free(above);
    above = NULL;
    return had;
}
