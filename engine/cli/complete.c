/* SPDX-License-Identifier: MIT */
/*
 * complete.c - completions for bash, zsh and fish, made of the tables.
 *
 * Each shell first finds out where on the command line it is: before a command, among a command's
 * options, or behind FILE, where the words are tasks. Names of tasks are taken from FILE's text and
 * never by running it: a key must not start anything.
 *
 * Layer: cli. Thread: the main thread.
 */
#include "cli/help.h"

#include <string.h>

/* Prints the names of the tasks that stand in the script "$1"; the same in all three shells. */
#define TASKS_OF(file)                                                                             \
    "grep -oE ':task[[:space:]]*[({]?[[:space:]]*(\"[^\"]+\"|'\\''[^'\\'']+'\\'')' -- " file       \
    " 2>/dev/null |\n"                                                                             \
    "        sed -E 's/^:task[^\"'\\'']*.//; s/.$//' | sort -u"

/* Where on the command line options are completed, and how the scripts call these places. */
static const struct place {
    unsigned where;
    const char *name;
} places[] = {
    {CLI_CHUNK, "start"},         {CLI_RUN, "run"},
    {CLI_PLAN, "plan"},           {CLI_PLAIN, "plain"},
    {CLI_REPL, "repl"},           {CLI_LATE_RUN, "behind_run"},
    {CLI_LATE_PLAN, "behind_plan"}, {CLI_LATE_REPL, "behind_repl"},
};

enum { PLACE_COUNT = sizeof places / sizeof places[0] };

static void print_list(FILE *stream, const char *const *words)
{
    for (const char *const *word = words; *word != NULL; word++)
        fprintf(stream, "%s%s", word == words ? "" : " ", *word);
}

/* "-j|--jobs|--arg": every spelling of the options for which `is_wanted` holds. */
static void print_spellings(FILE *stream, bool (*is_wanted)(const struct cli_option *),
                            const char *between)
{
    const char *lead = "";
    for (int i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = &cli_options[i];
        if (!is_wanted(option))
            continue;
        if (option->letter != 0) {
            fprintf(stream, "%s-%c", lead, option->letter);
            lead = between;
        }
        if (option->name != NULL) {
            fprintf(stream, "%s--%s", lead, option->name);
            lead = between;
        }
    }
}

static bool takes_argument(const struct cli_option *option)
{
    return option->argument != NULL;
}

/* ---- bash --------------------------------------------------------------------------------- */

static void bash_options(FILE *stream)
{
    fputs("    case $place in\n", stream);
    for (int p = 0; p < PLACE_COUNT; p++) {
        fprintf(stream, "        %s) options=\"", places[p].name);
        const char *lead = "";
        for (int i = 0; i < CLI_OPTION_COUNT; i++) {
            const struct cli_option *option = &cli_options[i];
            if ((option->where & places[p].where) == 0)
                continue;
            if (option->name != NULL)
                fprintf(stream, "%s--%s", lead, option->name);
            else
                fprintf(stream, "%s-%c", lead, option->letter);
            lead = " ";
        }
        fputs("\" ;;\n", stream);
    }
    fputs("    esac\n", stream);
}

static void bash_values(FILE *stream)
{
    fputs("    case $prev in\n", stream);
    for (int i = 0; i < CLI_OPTION_COUNT; i++) {
        if (cli_options[i].values == NULL)
            continue;
        fprintf(stream, "        --%s) words=\"", cli_options[i].name);
        print_list(stream, cli_options[i].values);
        fputs("\" ;;\n", stream);
    }
    fputs("        ", stream);
    print_spellings(stream, takes_argument, " | ");
    fputs(") return ;;\n    esac\n", stream);
}

static void bash_commands(FILE *stream)
{
    fputs("    case $place in\n        start) words=\"", stream);
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
        fprintf(stream, "%s%s", command == cli_commands ? "" : " ", command->name);
    fputs("\" ;;\n", stream);
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        if (command->values == NULL)
            continue;
        fprintf(stream, "        plain) [[ $command == %s && -z $file ]] && words=\"",
                command->name);
        print_list(stream, command->values);
        fputs("\" ;;\n", stream);
    }
    fputs("    esac\n", stream);
}

static void bash(FILE *stream)
{
    fputs(
        "# bash completion for tutti. Made by: tutti completions bash\n\n"
        "_tutti_tasks()\n{\n    " TASKS_OF(
            "\"$1\"") "\n}\n\n"
                      "# What is behind FILE: names of its tasks, also behind + and !. A colon "
                      "begins a word\n"
                      "# of its own for bash.\n"
                      "_tutti_complete_task()\n{\n"
                      "    local typed=${COMP_LINE:0:COMP_POINT} name head cut\n"
                      "    typed=${typed##*[[:space:]]}\n"
                      "    head=${typed%%[!+!]*}\n"
                      "    cut=${typed%\"${typed##*:}\"}\n"
                      "    while IFS= read -r name; do\n"
                      "        name=$head$name\n"
                      "        [[ $name == \"$typed\"* ]] && COMPREPLY+=(\"$(printf %q "
                      "\"${name#\"$cut\"}\")\")\n"
                      "    done < <(_tutti_tasks \"$1\")\n}\n\n"
                      "_tutti()\n{\n"
                      "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
                      "    local command= file= place=start options= words= i\n"
                      "    COMPREPLY=()\n"
                      "    if [[ $cur == = ]]; then\n        cur=\n"
                      "    elif [[ $prev == = ]]; then\n        prev=${COMP_WORDS[COMP_CWORD - "
                      "2]}\n    fi\n"
                      "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                      "        case ${COMP_WORDS[i]} in\n"
                      "            =) ((i++)) ;;\n            ",
        stream);
    print_spellings(stream, takes_argument, " | ");
    fputs(") [[ ${COMP_WORDS[i + 1]} == = ]] || ((i++)) ;;\n"
          "            -*) ;;\n"
          "            *)\n"
          "                if [[ -z $command ]]; then command=${COMP_WORDS[i]}\n"
          "                elif [[ -z $file ]]; then file=${COMP_WORDS[i]}; fi\n"
          "                ;;\n        esac\n    done\n"
          "    case $command in\n        '') ;;\n"
          "        run | plan | repl) place=$command; [[ -n $file ]] && place=behind_$command ;;\n"
          "        *) place=plain ;;\n    esac\n",
          stream);
    bash_options(stream);
    bash_commands(stream);
    bash_values(stream);
    fputs("    if [[ $cur == -* && $prev != -e ]]; then\n        words=$options\n    fi\n"
          "    if [[ -n $words ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
          "    elif [[ $place == run || $place == plan || $place == repl ]]; then\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        mapfile -t COMPREPLY < <(compgen -f -X '!*.lua' -- \"$cur\"; compgen -d -- "
          "\"$cur\")\n"
          "    elif [[ $place == behind_repl ]]; then\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
          "    elif [[ $place == behind_run || $place == behind_plan ]]; then\n"
          "        _tutti_complete_task \"${file/#\\~\\//$HOME/}\"\n"
          "    fi\n}\n\n"
          "complete -o bashdefault -o default -F _tutti tutti\n",
          stream);
}

/* ---- zsh ---------------------------------------------------------------------------------- */

static void zsh_option(FILE *stream, const struct cli_option *option)
{
    const char *value = option->argument == NULL ? "" : "=";
    bool repeats = strcmp(option->help, cli_options[CLI_OPTION_ARG].help) == 0 ||
                   strcmp(option->help, cli_options[CLI_OPTION_VERBOSE].help) == 0;
    fputs("        ", stream);
    if (option->name == NULL)
        fprintf(stream, "'-%c+", option->letter);
    else if (option->letter == 0)
        fprintf(stream, "'%s--%s%s", repeats ? "*" : "", option->name, value);
    else if (repeats)
        fprintf(stream, "'*'{-%c,--%s%s}'", option->letter, option->name, value);
    else
        fprintf(stream, "'(-%c --%s)'{-%c%s,--%s%s}'", option->letter, option->name, option->letter,
                *value == '\0' ? "" : "+", option->name, value);
    fprintf(stream, "[%s]", option->help);
    if (option->argument != NULL) {
        fprintf(stream, ":%s:(", option->argument);
        if (option->values != NULL)
            print_list(stream, option->values);
        fputs(")", stream);
    }
    fputs("'\n", stream);
}

static void zsh_options(FILE *stream)
{
    for (int p = 0; p < PLACE_COUNT; p++) {
        fprintf(stream, "    local -a %s=(\n", places[p].name);
        for (int i = 0; i < CLI_OPTION_COUNT; i++) {
            if ((cli_options[i].where & places[p].where) != 0)
                zsh_option(stream, &cli_options[i]);
        }
        fputs("    )\n", stream);
    }
    fputs("    local -a commands=(\n", stream);
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
        fprintf(stream, "        '%s:%s'\n", command->name, command->help);
    fputs("    )\n", stream);
}

/* Behind a command that runs nothing: its one operand. */
static void zsh_operands(FILE *stream)
{
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        if (command->values == NULL)
            continue;
        fprintf(stream, "        %s) _arguments $plain ':%s:(", command->name, command->operands);
        print_list(stream, command->values);
        fputs(")' && return ;;\n", stream);
    }
}

static void zsh(FILE *stream)
{
    fputs("#compdef tutti\n# zsh completion for tutti. Made by: tutti completions zsh\n\n"
          "# What is behind FILE ($file of _tutti): names of its tasks, also behind + and !.\n"
          "_tutti_tasks() {\n"
          "    local -a names\n"
          "    names=(${(f)\"$(" TASKS_OF(
              "$file") ")\"})\n"
                       "    compset -P '[+!]##'\n"
                       "    compadd -X task -- $names\n}\n\n"
                       "_tutti() {\n"
                       "    local curcontext=$curcontext state line file command\n"
                       "    typeset -A opt_args\n",
          stream);
    zsh_options(stream);
    fputs("    _arguments -C -S -A '-*' $start ':command:->command' '*::word:->word' && return\n"
          "    if [[ $state == command ]]; then\n"
          "        _describe command commands\n        return\n    fi\n"
          "    command=$words[1]\n"
          "    case $command in\n",
          stream);
    zsh_operands(stream);
    fputs("        repl)\n"
          "            _arguments -S -A '-*' $repl ':script:_files -g \"*.lua(-.)\"' "
          "'*:word:_files' && return\n            ;;\n"
          "        run | plan)\n"
          "            _arguments -C -S -A '-*' ${(P)command} \\\n                ':script:_files "
          "-g \"*.lua(-.)\"' '*:::word:->behind' && return\n            ;;\n"
          "        *) _arguments $plain; return ;;\n"
          "    esac\n"
          "    if [[ $state == behind ]]; then\n"
          "        file=${${(Q)line[1]}/#\\~\\//$HOME/}\n"
          "        words=(tutti \"${(@)words}\") CURRENT=$((CURRENT + 1))\n"
          "        command=behind_$command\n"
          "        _arguments ${(P)command} '*:task: _tutti_tasks'\n"
          "    fi\n}\n\n"
          "if [[ $funcstack[1] == _tutti ]]; then\n    _tutti \"$@\"\nelse\n    compdef _tutti "
          "tutti\nfi\n",
          stream);
}

/* ---- fish --------------------------------------------------------------------------------- */

/* The places in which the option may stand, as arguments of __tutti_at. */
static void fish_option(FILE *stream, const struct cli_option *option)
{
    fputs("complete -c tutti -n '__tutti_at", stream);
    for (int p = 0; p < PLACE_COUNT; p++) {
        if ((option->where & places[p].where) != 0)
            fprintf(stream, " %s", places[p].name);
    }
    fputs("'", stream);
    if (option->letter != 0)
        fprintf(stream, " -s %c", option->letter);
    if (option->name != NULL)
        fprintf(stream, " -l %s", option->name);
    if (option->argument != NULL)
        fputs(" -x", stream);
    if (option->values != NULL) {
        fputs(" -a '", stream);
        print_list(stream, option->values);
        fputs("'", stream);
    }
    fprintf(stream, " -d '%s'\n", option->help);
}

static void fish_commands(FILE *stream)
{
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        fprintf(stream, "complete -c tutti -n '__tutti_at start' -a %s -d '%s'\n", command->name,
                command->help);
        if (command->values == NULL)
            continue;
        fprintf(stream,
                "complete -c tutti"
                " -n '__tutti_at plain; and test \"$__tutti_command\" = %s' -a '",
                command->name);
        print_list(stream, command->values);
        fputs("'\n", stream);
    }
}

static void fish(FILE *stream)
{
    fputs(
        "# fish completion for tutti. Made by: tutti completions fish\n\n"
        "# Is the cursor in one of these places? Notes the command and FILE.\n"
        "function __tutti_at\n"
        "    set -g __tutti_command ''\n    set -g __tutti_file ''\n"
        "    set -l skip no\n"
        "    for word in (commandline -opc)[2..-1]\n"
        "        if test $skip = yes\n            set skip no\n            continue\n        end\n"
        "        switch $word\n            case ",
        stream);
    print_spellings(stream, takes_argument, " ");
    fputs("\n                set skip yes\n"
          "            case '-*'\n"
          "            case '*'\n"
          "                if test -z \"$__tutti_command\"\n"
          "                    set -g __tutti_command $word\n"
          "                else if test -z \"$__tutti_file\"\n"
          "                    set -g __tutti_file $word\n"
          "                end\n        end\n    end\n"
          "    set -l place plain\n"
          "    switch $__tutti_command\n"
          "        case ''\n            set place start\n"
          "        case run plan repl\n            set place $__tutti_command\n"
          "            test -n \"$__tutti_file\"; and set place behind_$__tutti_command\n"
          "    end\n"
          "    contains -- $place $argv\nend\n\n"
          "# What is behind FILE: names of its tasks, also behind + and !.\n"
          "function __tutti_tasks\n"
          "    set -l head (string match -r '^[+!]+' -- (commandline -ct))\n"
          "    set -l file (string replace -r '^~/' \"$HOME/\" -- $__tutti_file)\n"
          "    " TASKS_OF("$file") " | string replace -r '^' -- \"$head\"\nend\n\n"
                                   "complete -c tutti -f\n",
          stream);
    fish_commands(stream);
    fputs("complete -c tutti -n '__tutti_at run plan repl' -k -a '(__fish_complete_suffix .lua)'\n"
          "complete -c tutti -n '__tutti_at behind_run behind_plan' -a '(__tutti_tasks)' -d task\n"
          "complete -c tutti -n '__tutti_at behind_repl' -F\n",
          stream);
    for (int i = 0; i < CLI_OPTION_COUNT; i++)
        fish_option(stream, &cli_options[i]);
}

bool cli_completions(FILE *stream, const char *shell)
{
    static const struct {
        const char *name;
        void (*print)(FILE *stream);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        if (strcmp(shells[i].name, shell) == 0) {
            shells[i].print(stream);
            return true;
        }
    }
    return false;
}
