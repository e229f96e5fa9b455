/* SPDX-License-Identifier: MIT */
/*
 * manual.c - the manual page tutti(1), made of the tables.
 *
 * Layer: cli. Thread: the main thread.
 * Invariant: what is printed passes `mandoc -T lint`.
 */
#include "cli/help.h"

#include <string.h>

enum { WIDTH = 78 };

/* roff reads backslashes, and dots and quotes that begin a line; a hyphen is one only if escaped.
 */
static int print_word(FILE *stream, const char *word, int length, bool begins)
{
    int width = length;
    if (begins && (*word == '.' || *word == '\''))
        width += fprintf(stream, "\\&");
    for (int i = 0; i < length; i++) {
        if (word[i] == '\\')
            width += fprintf(stream, "\\e") - 1;
        else if (word[i] == '-')
            width += fprintf(stream, "\\-") - 1;
        else
            fputc(word[i], stream);
    }
    return width;
}

/* Each sentence begins a line of its own, as manual pages want it; a newline in `text` a paragraph.
 */
static void print_text(FILE *stream, const char *text)
{
    int at = 0;
    while (*text != '\0') {
        int length = (int)strcspn(text, " \n");
        if (at > 0 && at + 1 + length < WIDTH)
            at += fprintf(stream, " ");
        else if (at > 0)
            at = fprintf(stream, "\n") - 1;
        at += print_word(stream, text, length, at == 0);
        bool ends = length > 0 && text[length - 1] == '.';
        text += length;
        if (*text == '\n')
            fprintf(stream, "\n.Pp");
        if (*text == '\n' || (ends && *text != '\0'))
            at = fprintf(stream, "\n") - 1;
        text += *text != '\0';
    }
    fputc('\n', stream);
}

/* A line of help as a sentence. */
static void print_sentence(FILE *stream, const char *text)
{
    char sentence[256];
    (void)snprintf(sentence, sizeof sentence, "%s.", text);
    if (sentence[0] >= 'a' && sentence[0] <= 'z')
        sentence[0] = (char)(sentence[0] - 'a' + 'A');
    print_text(stream, sentence);
}

static void print_terms(FILE *stream, const char *title, const char *macro,
                        const struct cli_term *terms)
{
    fprintf(stream, ".Sh %s\n.Bl -tag -width TUTTI_WORKERS\n", title);
    for (; terms->name != NULL; terms++) {
        fprintf(stream, ".It %s%s%s\n", macro, *macro == '\0' ? "" : " ", terms->name);
        print_sentence(stream, terms->help);
    }
    fputs(".El\n", stream);
}

static void print_values(FILE *stream, const char *const *values)
{
    if (values == NULL)
        return;
    fputs("One of\n", stream);
    for (; *values != NULL; values++)
        fprintf(stream, ".Cm %s%s\n", *values, values[1] == NULL ? " ." : " ,");
}

static void print_option(FILE *stream, const struct cli_option *option)
{
    fputs(".It ", stream);
    if (option->letter != 0)
        fprintf(stream, "Fl %c%s", option->letter, option->name == NULL ? "" : " , ");
    if (option->name != NULL)
        fprintf(stream, "Fl \\-%s", option->name);
    if (option->argument != NULL)
        fprintf(stream, " Ar %s", option->argument);
    fputc('\n', stream);
    print_sentence(stream, option->help);
    print_values(stream, option->values);
}

static void print_commands(FILE *stream)
{
    fputs(".Sh COMMANDS\n.Bl -tag -width completions\n", stream);
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        fprintf(stream, ".It Cm %s%s%s\n", command->name, *command->operands == '\0' ? "" : " Ar ",
                command->operands);
        print_sentence(stream, command->help);
        if (command->text != NULL) {
            fputs(".Pp\n", stream);
            print_text(stream, command->text);
        }
    }
    fputs(".It Fl e Ar CHUNK Ar [words]\nRun a piece of Lua.\n.El\n", stream);
}

/* Options of several commands in one list: each says which, if it is not for all that run a script.
 */
static void print_options(FILE *stream)
{
    fputs(".Sh OPTIONS\n.Bl -tag -width Ds\n", stream);
    for (int i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = &cli_options[i];
        print_option(stream, option);
        if ((option->where & (CLI_RUN | CLI_PLAN)) == CLI_PLAN)
            fputs("Of\n.Cm plan .\n", stream);
        if (cli_options[i].where == CLI_REPL)
            fputs("Of\n.Cm repl .\n", stream);
        if ((option->where & (CLI_LATE_RUN | CLI_LATE_PLAN)) != 0 && i != CLI_OPTION_HELP)
            fputs("Also behind FILE.\n", stream);
    }
    fputs(".El\n", stream);
}

void cli_manual(FILE *stream)
{
    fputs(".\\\" SPDX-License-Identifier: MIT\n.\\\" Made by `tutti man`.\n"
          ".Dd $Mdocdate$\n.Dt TUTTI 1\n.Os\n.Sh NAME\n.Nm tutti\n.Nd run graphs of tasks, "
          "scripted in Lua\n"
          ".Sh SYNOPSIS\n",
          stream);
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
        fprintf(stream, ".Nm\n.Cm %s\n%s%s%s", command->name,
                *command->operands == '\0' ? "" : ".Ar ", command->operands,
                *command->operands == '\0' ? "" : "\n");
    fputs(".Nm\n.Op Ar options\n.Fl e Ar CHUNK\n.Op Ar words\n.Sh DESCRIPTION\n", stream);
    print_text(
        stream,
        "tutti runs Lua 5.4 scripts whose tasks run on a pool of threads and an event loop, and "
        "which start programs. A script declares tasks and what they need; what can run at the "
        "same time does.\n"
        "Results go to standard output, and progress and failures to standard error.");
    print_commands(stream);
    print_options(stream);
    print_terms(stream, "ENVIRONMENT", "Ev", cli_environment);
    print_terms(stream, "EXIT STATUS", "", cli_statuses);
    fputs(
        ".Pp\nThe first Ctrl\\-C stops starting and cancels, and waits for up to 10 seconds;\n"
        "the second kills.\n"
        ".Sh EXAMPLES\n.Dl tutti run deploy.lua\n.Dl tutti run --progress=plain deploy.lua +tests\n"
        ".Dl tutti plan --dot deploy.lua | dot -Tsvg > plan.svg\n"
        ".Dl tutti run deploy.lua --list\n.Dl tutti repl\n.Sh SEE ALSO\n.Xr make 1\n",
        stream);
}
