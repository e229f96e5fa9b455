/* SPDX-License-Identifier: MIT */
/*
 * main.c - the `tutti` program: reads the command line and hands over to one command.
 *
 * Layer: cli. Thread: the main thread.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/help.h"
#include "cli/host.h"
#include "cli/nearest.h"
#include "cli/options.h"
#include "cli/tables.h"

/* What the user typed: argv[0] is the program. */
struct line {
    int argc;
    char **argv;
};

/* `command` may be NULL. */
static int refuse(const char *command, const char *problem)
{
    if (command == NULL)
        fprintf(stderr, "tutti: %s\nTry: tutti --help\n", problem);
    else
        fprintf(stderr, "tutti: %s: %s\nTry: tutti %s --help\n", command, problem, command);
    return CLI_BAD_USAGE;
}

static int print_version(void)
{
    printf("tutti %s (%s)\n", TUTTI_VERSION, cli_lua_version());
    return CLI_GOOD;
}

/* ---- running a script --------------------------------------------------------------------- */

/* Run `script` with the options that stand before it; `first` is its FILE or CHUNK among the words
 * of the line, and all behind is the script's. */
static int run_script(struct cli_script *script, struct cli_options *options,
                      const struct line *line, int first)
{
    struct cli_options late;
    int at = first + 1;
    unsigned where = script->is_plan ? CLI_LATE_PLAN : script->is_repl ? CLI_LATE_REPL : CLI_LATE_RUN;
    (void)cli_options_read(&late, where, line->argc - first, line->argv + first);
    if (at < line->argc && strcmp(line->argv[at], "--") == 0)
        at++;
    script->program = line->argv[0];
    script->words = line->argv + at;
    script->word_count = line->argc - at;
    script->options = options;
    script->late = &late;
    if (script->is_plan || script->is_repl || options->wants_list)
        options->progress = CLI_PROGRESS_NONE; /* nothing will run, or there is the prompt to show it */
    cli_options_decide(options);
    int status = script->is_repl ? cli_repl(script) : cli_run(script);
    cli_options_free(&late);
    return status;
}

/* tutti run and tutti plan */
static int command_script(const struct cli_command *command, const struct line *line,
                          struct cli_options *options)
{
    if (options->words.count == 0)
        return refuse(command->name, "a FILE is missing");
    struct cli_script script = {.file = options->words.list[0],
                                .is_plan = command->where == CLI_PLAN};
    if (script.is_plan && options->plan == CLI_PLAN_NOT)
        options->plan = CLI_PLAN_TEXT;
    return run_script(&script, options, line, line->argc - options->words.count);
}

/* tutti repl: FILE may be missing. */
static int command_repl(const struct line *line, struct cli_options *options)
{
    struct cli_script script = {.is_repl = true};
    int first = line->argc - options->words.count;
    if (options->words.count > 0)
        script.file = options->words.list[0];
    else
        first--; /* no words are behind the last one of the line */
    return run_script(&script, options, line, first);
}

/* tutti [options] -e CHUNK [words] */
static int without_command(const struct line *line, struct cli_options *options)
{
    if (options->wants_help) {
        cli_help_all(stdout);
        return CLI_GOOD;
    }
    if (options->wants_version)
        return print_version();
    if (options->chunk == NULL)
        return refuse(
            NULL, "a command is missing: options stand behind it, as in tutti run --jobs 4 FILE");
    struct cli_script script = {.chunk = options->chunk};
    return run_script(&script, options, line, line->argc - options->words.count - 1);
}

/* ---- commands that run nothing ------------------------------------------------------------ */

static int command_completions(const struct cli_options *options)
{
    if (options->words.count != 1)
        return refuse("completions", "the name of one shell was expected: bash, zsh or fish");
    if (cli_completions(stdout, options->words.list[0]))
        return CLI_GOOD;
    char problem[120];
    (void)snprintf(problem, sizeof problem, "\"%.40s\" is none of the shells bash, zsh and fish",
                   options->words.list[0]);
    return refuse("completions", problem);
}

static int command_plain(const struct cli_command *command, const struct cli_options *options)
{
    if (strcmp(command->name, "completions") == 0)
        return command_completions(options);
    if (options->words.count > 0)
        return refuse(command->name, "nothing was expected behind it");
    if (strcmp(command->name, "version") == 0)
        return print_version();
    cli_manual(stdout);
    return CLI_GOOD;
}

/* ---- the command -------------------------------------------------------------------------- */

static int refuse_command(const char *name)
{
    struct cli_nearest nearest = {.word = name};
    size_t length = strlen(name);
    char problem[200];
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
        cli_nearest_try(&nearest, command->name);
    bool is_file =
        (length > 4 && strcmp(name + length - 4, ".lua") == 0) || access(name, R_OK) == 0;
    if (is_file)
        (void)snprintf(problem, sizeof problem,
                       "unknown command \"%.60s\" (did you mean tutti run %.60s?)", name, name);
    else if (nearest.best != NULL)
        (void)snprintf(problem, sizeof problem, "unknown command \"%.60s\" (did you mean \"%s\"?)",
                       name, nearest.best);
    else
        (void)snprintf(problem, sizeof problem, "unknown command \"%.60s\"", name);
    return refuse(NULL, problem);
}

static int run_command(const struct line *line, const struct cli_command *command,
                       struct cli_options *options)
{
    const char *name = command == NULL ? NULL : command->name;
    unsigned where = command == NULL ? (unsigned)CLI_CHUNK : command->where;
    int skip = command == NULL ? 0 : 1;
    if (!cli_options_read(options, where, line->argc - skip, line->argv + skip))
        return refuse(name, options->problem);
    if (command == NULL)
        return without_command(line, options);
    if (options->wants_help) {
        cli_help_command(stdout, command);
        return CLI_GOOD;
    }
    if (where == CLI_PLAIN)
        return command_plain(command, options);
    return where == CLI_REPL ? command_repl(line, options) : command_script(command, line, options);
}

int main(int argc, char **argv)
{
    const struct line line = {argc, argv};
    const struct cli_command *command = NULL;
    struct cli_options options;
    if (argc < 2) {
        cli_help_all(stderr);
        return CLI_BAD_USAGE;
    }
    if (argv[1][0] != '-' || argv[1][1] == '\0') {
        command = cli_command_find(argv[1]);
        if (command == NULL)
            return refuse_command(argv[1]);
    }
    int status = run_command(&line, command, &options);
    cli_options_free(&options);
    return status == CLI_GOOD ? cli_host_end_output() : status;
}
