/* SPDX-License-Identifier: MIT */
/*
 * options.h - what the command line asks for.
 *
 * Layer: cli.
 */
#ifndef TUTTI_CLI_OPTIONS_H
#define TUTTI_CLI_OPTIONS_H

#include <stdbool.h>

enum cli_progress {
    CLI_PROGRESS_AUTO,
    CLI_PROGRESS_TTY,
    CLI_PROGRESS_PLAIN,
    CLI_PROGRESS_JSON,
    CLI_PROGRESS_NONE,
};
enum cli_color { CLI_COLOR_AUTO, CLI_COLOR_ALWAYS, CLI_COLOR_NEVER };
enum cli_plan { CLI_PLAN_NOT, CLI_PLAN_TEXT, CLI_PLAN_JSON, CLI_PLAN_DOT, CLI_PLAN_MERMAID };

struct cli_options {
    enum cli_progress progress; /* AUTO until cli_options_decide */
    enum cli_color color;
    enum cli_plan plan;
    bool is_quiet;
    bool wants_list;
    bool wants_help;
    bool has_color;     /* stderr may have colours: after cli_options_decide */
    bool has_color_out; /* stdout may */
    int verbose;
    int jobs;           /* 0: not given */
    const char **args;  /* "k=v"; pointers into argv */
    int arg_count;
};

/* Decide what `auto` means for this terminal and this environment. Once, before anything is written. */
void cli_options_decide(struct cli_options *options);

#endif
