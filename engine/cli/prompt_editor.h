/* SPDX-License-Identifier: MIT */
/*
 * prompt_editor.h - what edits a line on the terminal: GNU readline, or the terminal's own line
 * mode.
 *
 * Layer: cli. Thread: the terminal's, unless it says otherwise.
 */
#ifndef TUTTI_CLI_PROMPT_EDITOR_H
#define TUTTI_CLI_PROMPT_EDITOR_H

#include <stdbool.h>
#include <stddef.h>

/* What reading from fd 0 has brought. */
enum cli_edit {
    CLI_EDIT_MORE,      /* the line goes on */
    CLI_EDIT_LINE,      /* Enter */
    CLI_EDIT_CUT,       /* Enter, with Ctrl-C at once behind it */
    CLI_EDIT_INTERRUPT, /* Ctrl-C */
    CLI_EDIT_END,       /* Ctrl-D, or the terminal is gone */
    CLI_EDIT_SUSPEND    /* Ctrl-Z; the line goes on later */
};

struct cli_editor {
    /* Show `prompt` and begin a line. */
    void (*begin)(const char *prompt);

    /* fd 0 can be read. Of a line *text is set (malloc; the caller's to free). After anything but
     * MORE and SUSPEND the terminal is as it was found. */
    enum cli_edit (*read)(char **text);

    /* Are there keys for `read` that are not in fd 0 any more? NULL: never. */
    bool (*is_ready)(void);

    /* Give the terminal back in the middle of a line, and take it again. */
    void (*pause)(void);
    void (*resume)(void);

    /* Ctrl-C came from elsewhere: drop the line. Returns whether something was typed. */
    bool (*drop)(void);

    /* The screen has another size. NULL: that does not matter. */
    void (*resize)(void);

    /* Write whole lines above the line. NULL: text is not held back while a line is edited. */
    void (*above)(const char *bytes, size_t size);

    /* An entry of the history. NULL: there is none. */
    void (*remember)(const char *entry);
};

/* prompt.c, for the editors: wait until fd 0 can be read. Returns: false: the prompt is to end. */
bool cli_prompt_wait_key(void);

/* The terminal's own line mode. */
extern const struct cli_editor cli_editor_plain;

#endif
