/* SPDX-License-Identifier: MIT */
/*
 * options.h - what a command line asks for, read by the tables of tables.h.
 *
 * Layer: cli. Thread: the main thread, before any other is started.
 */
#ifndef TUTTI_CLI_OPTIONS_H
#define TUTTI_CLI_OPTIONS_H

#include <stdbool.h>

/* In the order of the option's values in the table. */
enum cli_progress {
    CLI_PROGRESS_AUTO,
    CLI_PROGRESS_TTY,
    CLI_PROGRESS_PLAIN,
    CLI_PROGRESS_JSON,
    CLI_PROGRESS_NONE,
};
enum cli_color { CLI_COLOR_AUTO, CLI_COLOR_ALWAYS, CLI_COLOR_NEVER };
enum cli_plan { CLI_PLAN_NOT, CLI_PLAN_TEXT, CLI_PLAN_JSON, CLI_PLAN_DOT, CLI_PLAN_MERMAID };

enum { CLI_VERBOSE_MAX = 2, CLI_JOBS_MAX = 1000000 };

/* Words of the command line. */
struct cli_words {
    const char **list;
    int count;
};

struct cli_options {
    enum cli_progress progress; /* AUTO until cli_options_decide */
    enum cli_color color;
    enum cli_plan plan;
    bool is_quiet;
    bool wants_list;
    bool wants_help;
    bool wants_version;
    bool is_plain_prompt; /* --no-readline */
    bool has_color;         /* stderr may have colours: after cli_options_decide */
    bool has_color_out;     /* stdout may */
    int columns;            /* of the terminal that is stdout, or 0; likewise */
    int verbose;            /* 0 to CLI_VERBOSE_MAX */
    int jobs;               /* 0: not given */
    const char *chunk;      /* of -e */
    struct cli_words args;  /* "NAME=VALUE" */
    struct cli_words words; /* what is no option, in order */
    char problem[256];      /* the first thing that is wrong, or empty */
};

/**
 * Read the options that belong to `where` (tables.h). For a CLI_LATE_* they may stand among the
 * words, and reading goes on behind a problem; else the first word ends the options, and so does a
 * problem.
 *
 * Args:    argv[argc] - from the command on: argv[0] is no option.
 * Memory:  `options` is zeroed first and keeps pointers into argv. Free it with cli_options_free.
 * Returns: false: options->problem says what is wrong.
 */
bool cli_options_read(struct cli_options *options, unsigned where, int argc, char **argv);

void cli_options_free(struct cli_options *options);

/* Decide what `auto` means for this terminal and this environment. Once, before anything is
 * written. */
void cli_options_decide(struct cli_options *options);

/* How wide the terminal is now; 0: `fd` is none. */
int cli_terminal_columns(int fd);

#endif
