/* SPDX-License-Identifier: MIT */
/*
 * help.c - `tutti --help` and `tutti COMMAND --help`.
 *
 * Layer: cli. Thread: the main thread.
 */
#include "cli/help.h"

#include <string.h>

enum { WIDTH = 80, OPTION_COLUMN = 26, TERM_COLUMN = 16 };

/* Print words from `column` on, broken before WIDTH; a newline in `text` begins a line. */
static void print_wrapped(FILE *stream, const char *text, int column)
{
    int at = column;
    while (*text != '\0') {
        int length = (int)strcspn(text, " \n");
        if (at > column && at + 1 + length >= WIDTH) {
            fprintf(stream, "\n%*s", column, "");
            at = column;
        }
        if (at > column)
            at += fprintf(stream, " ");
        at += fprintf(stream, "%.*s", length, text);
        text += length;
        if (*text == '\n') {
            fprintf(stream, "\n%*s", column, "");
            at = column;
        }
        text += *text != '\0';
    }
    fputc('\n', stream);
}

static void print_option(FILE *stream, const struct cli_option *option)
{
    char left[64];
    char text[256];
    const char *argument = option->argument == NULL ? "" : option->argument;
    const char *space = option->argument == NULL ? "" : " ";
    if (option->name == NULL)
        (void)snprintf(left, sizeof left, "-%c%s%s", option->letter, space, argument);
    else if (option->letter == 0)
        (void)snprintf(left, sizeof left, "    --%s%s%s", option->name, space, argument);
    else
        (void)snprintf(left, sizeof left, "-%c, --%s%s%s", option->letter, option->name, space,
                       argument);
    size_t used = (size_t)snprintf(text, sizeof text, "%s", option->help);
    for (const char *const *value = option->values; value != NULL && *value != NULL; value++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s%s",
                                 value == option->values ? " (" : ", ", *value,
                                 value[1] == NULL ? ")" : "");
    fprintf(stream, "  %-*s", OPTION_COLUMN - 2, left);
    print_wrapped(stream, text, OPTION_COLUMN);
}

static void print_options(FILE *stream, unsigned where)
{
    fputs("\noptions:\n", stream);
    for (int i = 0; i < CLI_OPTION_COUNT; i++) {
        if ((cli_options[i].where & where) != 0)
            print_option(stream, &cli_options[i]);
    }
}

static void print_terms(FILE *stream, const char *title, const struct cli_term *terms)
{
    fprintf(stream, "\n%s:\n", title);
    for (; terms->name != NULL; terms++) {
        fprintf(stream, "  %-*s ", TERM_COLUMN - 1, terms->name);
        print_wrapped(stream, terms->help, TERM_COLUMN + 2);
    }
}

static void print_usage_line(FILE *stream, const char *name, const char *operands, const char *help)
{
    char left[80];
    (void)snprintf(left, sizeof left, "tutti %s%s%s", name, *operands == '\0' ? "" : " ", operands);
    fprintf(stream, "%-36s  %s\n", left, help);
}

void cli_help_all(FILE *stream)
{
    const char *lead = "usage: ";
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        fputs(lead, stream);
        print_usage_line(stream, command->name, command->operands, command->help);
        lead = "       ";
    }
    fputs(lead, stream);
    print_usage_line(stream, "[options] -e CHUNK [words]", "", "run a piece of Lua");
    fputs("\nMore on each: tutti COMMAND --help, and man tutti (or: tutti man | man -l -).\n",
          stream);
    print_options(stream, CLI_RUN | CLI_REPL | CLI_CHUNK);
    print_terms(stream, "environment", cli_environment);
    print_terms(stream, "exit status", cli_statuses);
}

void cli_help_command(FILE *stream, const struct cli_command *command)
{
    fprintf(stream, "usage: tutti %s%s%s\n\n%s", command->name,
            *command->operands == '\0' ? "" : " ", command->operands, "");
    fprintf(stream, "%c%s", command->help[0] - 'a' + 'A', command->help + 1);
    fputs(".\n", stream);
    if (command->text != NULL) {
        fputc('\n', stream);
        print_wrapped(stream, command->text, 0);
    }
    print_options(stream, command->where);
    if ((command->where & (CLI_RUN | CLI_REPL)) != 0)
        print_terms(stream, "exit status", cli_statuses);
}
