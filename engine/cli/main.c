/* SPDX-License-Identifier: MIT */
/*
 * main.c - the `tutti` program: reads the command line and hands over to one command.
 *
 * Layer: cli.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"

static const char usage_text[] =
    "usage: tutti run [options] FILE [words]    run a script; all after FILE is the script's\n"
    "       tutti -e CHUNK [words]              run a piece of Lua\n"
    "       tutti version                       print the version\n"
    "\n"
    "options:\n"
    "  -h, --help    print this\n"
    "\n"
    "TUTTI_WORKERS sets the number of pool threads; TUTTI_PREEMPT=signal|hook|none how Lua that\n"
    "runs and runs is interrupted.\n";

static int refuse(const char *what, const char *word)
{
    fprintf(stderr, "tutti: %s \"%s\"\n%s", what, word, usage_text);
    return CLI_BAD_USAGE;
}

static int help(FILE *stream, int status)
{
    fputs(usage_text, stream);
    return status;
}

static bool is_help(const char *word)
{
    return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
}

static int run(struct cli_script *script, const char *program)
{
    struct cli_options options = { .progress = CLI_PROGRESS_AUTO };
    cli_options_decide(&options);
    script->program = program;
    script->options = &options;
    return cli_run(script);
}

static int command_run(int argc, char **argv, const char *program)
{
    int at = 0;
    while (at < argc && argv[at][0] == '-' && argv[at][1] != '\0') {
        if (is_help(argv[at]))
            return help(stdout, CLI_GOOD);
        return refuse("run: unknown option", argv[at]);
    }
    if (at == argc) {
        fprintf(stderr, "tutti: run: a FILE is missing\n%s", usage_text);
        return CLI_BAD_USAGE;
    }
    struct cli_script script = { .file = argv[at] };
    at++;
    if (at < argc && strcmp(argv[at], "--") == 0)
        at++;
    script.words = argv + at;
    script.word_count = argc - at;
    return run(&script, program);
}

static int command_chunk(int argc, char **argv, const char *program)
{
    if (argc == 0) {
        fprintf(stderr, "tutti: -e: a CHUNK is missing\n%s", usage_text);
        return CLI_BAD_USAGE;
    }
    struct cli_script script = { .chunk = argv[0], .words = argv + 1, .word_count = argc - 1 };
    return run(&script, program);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return help(stderr, CLI_BAD_USAGE);
    const char *command = argv[1];
    if (strcmp(command, "run") == 0)
        return command_run(argc - 2, argv + 2, argv[0]);
    if (strcmp(command, "-e") == 0)
        return command_chunk(argc - 2, argv + 2, argv[0]);
    if (strcmp(command, "version") == 0 || strcmp(command, "--version") == 0) {
        printf("tutti %s (%s)\n", TUTTI_VERSION, cli_lua_version());
        return CLI_GOOD;
    }
    if (is_help(command))
        return help(stdout, CLI_GOOD);
    return refuse("unknown command", command);
}
