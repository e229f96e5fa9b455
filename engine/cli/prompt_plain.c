/* SPDX-License-Identifier: MIT */
/*
 * prompt_plain.c - lines as the terminal itself edits them: without readline, with TERM=dumb, and
 * with --no-readline (under rlwrap).
 *
 * Layer: cli. Thread: the terminal's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/prompt_editor.h"
#include "cli/prompt_text.h"

/* More than a terminal hands over as one line. */
enum { LINE_BYTES = 8192 };

static char shown[64]; /* the prompt */

static void show(void)
{
    cli_prompt_text_write(shown, strlen(shown));
}

static void begin(const char *prompt)
{
    size_t size = strnlen(prompt, sizeof shown - 1);
    memcpy(shown, prompt, size);
    shown[size] = '\0';
    show();
}

/* In its line mode the terminal gives a line for each read, and nothing for Ctrl-D at the beginning
   of one. */
static enum cli_edit read_line(char **text)
{
    char *line = (char *)malloc(LINE_BYTES + 1);
    ssize_t size = line == NULL ? -1 : read(STDIN_FILENO, line, LINE_BYTES);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) {
        free(line);
        return CLI_EDIT_MORE;
    }
    if (size <= 0) {
        free(line);
        cli_prompt_text_write("\n", 1);
        return CLI_EDIT_END;
    }
    size -= line[size - 1] == '\n';
    line[size] = '\0';
    *text = line;
    return CLI_EDIT_LINE;
}

static void pause_line(void)
{
}

/* The terminal has dropped what was typed. */
static bool drop(void)
{
    cli_prompt_text_write("\n", 1);
    return false;
}

const struct cli_editor cli_editor_plain = {
    .begin = begin, .read = read_line, .pause = pause_line, .resume = show, .drop = drop,
};
