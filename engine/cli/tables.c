/* SPDX-License-Identifier: MIT */
/*
 * tables.c - see tables.h.
 *
 * Layer: cli.
 */
#include "cli/tables.h"

#include <stddef.h>
#include <string.h>

static const char *const progress_values[] = {"auto", "tty", "plain", "json", "none", NULL};
static const char *const color_values[] = {"auto", "always", "never", NULL};
static const char *const shell_values[] = {"bash", "zsh", "fish", NULL};

enum {
    SCRIPTS = CLI_RUN | CLI_PLAN | CLI_CHUNK,
    LUA = SCRIPTS | CLI_REPL, /* whatever runs Lua */
    SHOWN = CLI_RUN | CLI_CHUNK, /* where there may be something to watch */
    LATE = CLI_LATE_RUN | CLI_LATE_PLAN,
    PLANS = CLI_PLAN | CLI_LATE_PLAN,
};

const struct cli_option cli_options[CLI_OPTION_COUNT] = {
    [CLI_OPTION_JOBS] = {"jobs", 'j', "N", NULL, LUA | LATE,
                         "run at most N tasks of a graph at a time"},
    [CLI_OPTION_ARG] = {"arg", 0, "NAME=VALUE", NULL, LUA | LATE,
                        "give an argument that the script declares with tutti.args"},
    [CLI_OPTION_LIST] = {"list", 0, NULL, NULL, CLI_RUN | CLI_LATE_RUN,
                         "list the tasks of the graph and run none"},
    [CLI_OPTION_DOT] = {"dot", 0, NULL, NULL, PLANS, "print the plan for Graphviz"},
    [CLI_OPTION_MERMAID] = {"mermaid", 0, NULL, NULL, PLANS, "print the plan for Mermaid"},
    [CLI_OPTION_JSON] = {"json", 0, NULL, NULL, PLANS, "print the plan as JSON"},
    [CLI_OPTION_PROGRESS] = {"progress", 0, "HOW", progress_values, SHOWN,
                             "show what runs: a live view, lines, JSON events, or nothing"},
    [CLI_OPTION_COLOR] = {"color", 0, "WHEN", color_values, LUA, "use colours"},
    [CLI_OPTION_QUIET] = {"quiet", 'q', NULL, NULL, SHOWN,
                          "no progress, and of failures the causes only"},
    [CLI_OPTION_VERBOSE] = {"verbose", 'v', NULL, NULL, SHOWN, "say more; twice: still more"},
    [CLI_OPTION_NO_READLINE] = {"no-readline", 0, NULL, NULL, CLI_REPL,
                                "read the lines of the prompt without GNU readline"},
    [CLI_OPTION_CHUNK] = {NULL, 'e', "CHUNK", NULL, CLI_CHUNK, "run CHUNK, a piece of Lua"},
    [CLI_OPTION_HELP] = {"help", 'h', NULL, NULL, LUA | CLI_PLAIN | CLI_LATE_RUN, "print help"},
    [CLI_OPTION_VERSION] = {"version", 'V', NULL, NULL, CLI_CHUNK, "print the version"},
};

const struct cli_command cli_commands[] = {
    {"run", "[options] FILE [words]", NULL, CLI_RUN, "run a script",
     "The options stand before FILE; all that follows it is the script's, which finds it in `arg` "
     "and `...` (a "
     "leading -- is dropped).\n"
     "If the script returns a graph, the graph is run: the words say what of it (names, test_*, "
     "tag:slow, "
     "+name with all it needs, name+ with all that need it, a & b, !a), and --jobs, --arg, --list "
     "and --help "
     "are understood behind FILE too."},
    {"plan", "[options] FILE [selector]", NULL, CLI_PLAN, "show what would run, and why",
     "Shows which tasks of the script's graph would run, in which steps and why, and the critical "
     "path. The "
     "script itself is executed up to its graph; starting a task or a program, or changing a file "
     "through "
     "tutti, is an error there. Plain io and os calls of the script are not stopped."},
    {"repl", "[options] [FILE [words]]", NULL, CLI_REPL, "a prompt on a live engine",
     "Each line is a task: what it starts goes on while you type, await works, and what is printed "
     "meanwhile appears above the line. An expression prints its value, a local is there in later "
     "lines, and a line that ends in & goes to the background. Ctrl-C cancels the line that runs, "
     "Ctrl-D leaves. At the prompt, :help says more.\n"
     "With FILE, or if standard input is no terminal, the chunks of FILE or of standard input are "
     "run one by one without a prompt, up to the first error. What they left in the background is "
     "awaited. Values go to standard output, errors to standard error."},
    {"completions", "SHELL", shell_values, CLI_PLAIN, "print the completions for a shell",
     "bash: eval \"$(tutti completions bash)\" in ~/.bashrc. zsh: the output is a file _tutti in a "
     "folder of "
     "$fpath, or source <(tutti completions zsh) behind compinit. fish: tutti completions fish | "
     "source."},
    {"man", "", NULL, CLI_PLAIN, "print the manual page", "To read it: tutti man | man -l -"},
    {"version", "", NULL, CLI_PLAIN, "print the version", NULL},
    {NULL, NULL, NULL, 0, NULL, NULL},
};

const struct cli_term cli_environment[] = {
    {"TUTTI_WORKERS", "how many pool threads there are; otherwise as many as usable CPUs"},
    {"TUTTI_PREEMPT", "how Lua that runs and runs is interrupted: signal, hook or none"},
    {"NO_COLOR", "no colours, unless FORCE_COLOR or --color asks for them"},
    {"FORCE_COLOR", "colours also where there is no terminal"},
    {"XDG_STATE_HOME", "where the history of the prompt and what tasks took are kept: in tutti/"},
    {"CI", "a build service: no live view, unless --progress=tty asks for it"},
    {"TERM", "a dumb terminal gets no live view, no line editing and no colours"},
    {NULL, NULL},
};

const struct cli_term cli_statuses[] = {
    {"0", "all is well"},
    {"1", "a task failed that nobody took care of, or an error left the script"},
    {"2", "the command line is wrong, or FILE is missing"},
    {"3", "the script is wrong: its syntax, how it uses tutti, or an error before its first task"},
    {"128+n", "ended by signal n: 130 after Ctrl-C"},
    {NULL, NULL},
};

const struct cli_command *cli_command_find(const char *name)
{
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}
