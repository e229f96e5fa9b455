/* SPDX-License-Identifier: MIT */
/*
 * terminal.c - what `auto` means: is there a terminal, and may it be drawn on and have colours?
 *
 * Layer: cli. Thread: the main thread, before any other is started.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/options.h"

static bool is_set(const char *name)
{
    const char *text = getenv(name);
    return text != NULL && *text != '\0';
}

static bool is_off(const char *text)
{
    return strcmp(text, "0") == 0 || strcmp(text, "false") == 0;
}

/* A terminal that understands escape sequences. */
static bool can_draw(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) == 1 && term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
}

/* A build service: what it keeps is a log, also where it offers a terminal. */
static bool is_in_ci(void)
{
    return is_set("CI") && !is_off(getenv("CI"));
}

/* The command line wins; then FORCE_COLOR, then NO_COLOR, then what the stream is. */
static bool may_color(enum cli_color asked, int fd)
{
    if (asked != CLI_COLOR_AUTO)
        return asked == CLI_COLOR_ALWAYS;
    if (is_set("FORCE_COLOR"))
        return !is_off(getenv("FORCE_COLOR"));
    if (is_set("NO_COLOR"))
        return false;
    return can_draw(fd);
}

int cli_terminal_columns(int fd)
{
    struct winsize size;
    if (isatty(fd) != 1)
        return 0;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void cli_options_decide(struct cli_options *options)
{
    options->has_color = may_color(options->color, STDERR_FILENO);
    options->has_color_out = may_color(options->color, STDOUT_FILENO);
    options->columns = cli_terminal_columns(STDOUT_FILENO);
    if (options->progress != CLI_PROGRESS_AUTO)
        return;
    if (options->is_quiet)
        options->progress = CLI_PROGRESS_NONE;
    else
        options->progress =
            can_draw(STDERR_FILENO) && !is_in_ci() ? CLI_PROGRESS_TTY : CLI_PROGRESS_PLAIN;
}
