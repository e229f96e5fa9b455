/* SPDX-License-Identifier: MIT */
/*
 * tables.h - the commands and options of the program: one table each, which the parser, --help, the
 * manual page and the completions of shells are made of.
 *
 * Layer: cli.
 */
#ifndef TUTTI_CLI_TABLES_H
#define TUTTI_CLI_TABLES_H

/* Where an option may stand, as bits. A command is one of them. */
enum {
    CLI_RUN = 1,
    CLI_PLAN = 2,
    CLI_CHUNK = 4,     /* without a command: before or instead of -e CHUNK */
    CLI_PLAIN = 8,     /* commands that run nothing */
    CLI_LATE_RUN = 16, /* behind FILE or CHUNK, if the script returns a graph */
    CLI_LATE_PLAN = 32,
    CLI_REPL = 64,
    CLI_LATE_REPL = 128, /* behind FILE: there are none */
};

/* Which option: its place in cli_options. */
enum cli_option_id {
    CLI_OPTION_JOBS,
    CLI_OPTION_ARG,
    CLI_OPTION_LIST,
    CLI_OPTION_DOT,
    CLI_OPTION_MERMAID,
    CLI_OPTION_JSON,
    CLI_OPTION_PROGRESS,
    CLI_OPTION_COLOR,
    CLI_OPTION_QUIET,
    CLI_OPTION_VERBOSE,
    CLI_OPTION_NO_READLINE,
    CLI_OPTION_CHUNK,
    CLI_OPTION_HELP,
    CLI_OPTION_VERSION,
    CLI_OPTION_COUNT,
};

struct cli_option {
    const char *name;          /* without the dashes; NULL: only a letter */
    char letter;               /* 0: only a name */
    const char *argument;      /* as --help calls it; NULL: takes none */
    const char *const *values; /* what it may be, NULL-terminated; NULL: anything */
    unsigned where;
    const char *help; /* one line */
};

struct cli_command {
    const char *name;
    const char *operands;      /* as in the usage line */
    const char *const *values; /* what its operand may be; NULL: anything */
    unsigned where;
    const char *help; /* one line */
    const char *text; /* paragraphs for its own --help and the manual page, or NULL */
};

/* One line of a list: an environment variable or an exit status, and what it means. */
struct cli_term {
    const char *name;
    const char *help;
};

extern const struct cli_option cli_options[CLI_OPTION_COUNT];
extern const struct cli_command cli_commands[]; /* ends with a NULL name, as do the next two */
extern const struct cli_term cli_environment[];
extern const struct cli_term cli_statuses[];

/* NULL: there is no such command. */
const struct cli_command *cli_command_find(const char *name);

#endif
