/* SPDX-License-Identifier: MIT */
/*
 * options.c - see options.h. getopt_long does the reading; what it finds wrong is told here.
 *
 * Layer: cli. Thread: the main thread, before any other is started (getopt_long keeps its place in
 * globals).
 */
#include "cli/options.h"

#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/nearest.h"
#include "cli/tables.h"

enum {
    LONG_FIRST = UCHAR_MAX + 1, /* what getopt_long returns for option i is LONG_FIRST + i */
    WORD = 1,                   /* ... and for a word among options */
    LATE = CLI_LATE_RUN | CLI_LATE_PLAN | CLI_LATE_REPL,
};

/* The tables in the form that getopt_long wants. */
struct spec {
    struct option longs[CLI_OPTION_COUNT + 1];
    char letters[2 * CLI_OPTION_COUNT + 3];
};

static void make_spec(struct spec *spec, unsigned where)
{
    size_t used = 0;
    size_t count = 0;
    memset(spec, 0, sizeof *spec);
    spec->letters[used++] = (where & LATE) != 0 ? '-' : '+';
    spec->letters[used++] = ':'; /* a missing argument is told apart from an unknown option */
    for (int i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = &cli_options[i];
        if ((option->where & where) == 0)
            continue;
        int has_arg = option->argument == NULL ? no_argument : required_argument;
        if (option->name != NULL)
            spec->longs[count++] = (struct option){option->name, has_arg, NULL, LONG_FIRST + i};
        if (option->letter != 0)
            spec->letters[used++] = option->letter;
        if (option->letter != 0 && option->argument != NULL)
            spec->letters[used++] = ':';
    }
}

/* ---- what is wrong ------------------------------------------------------------------------ */

/* Only the first problem is told. */
static __attribute__((format(printf, 2, 3))) void complain(struct cli_options *options,
                                                           const char *format, ...)
{
    if (options->problem[0] != '\0')
        return;
    va_list list;
    va_start(list, format);
    (void)vsnprintf(options->problem, sizeof options->problem, format, list);
    va_end(list);
}

/* As a user writes it: "--jobs", or "-e" if that is all there is. */
static const char *spelling(const struct cli_option *option, char *buffer, size_t size)
{
    if (option->name != NULL)
        (void)snprintf(buffer, size, "--%s", option->name);
    else
        (void)snprintf(buffer, size, "-%c", option->letter);
    return buffer;
}

static const struct cli_option *find_letter(int letter)
{
    for (int i = 0; i < CLI_OPTION_COUNT; i++) {
        if (cli_options[i].letter != 0 && cli_options[i].letter == letter)
            return &cli_options[i];
    }
    return NULL;
}

static const struct cli_option *find_name(const char *name, size_t length)
{
    for (int i = 0; i < CLI_OPTION_COUNT; i++) {
        const char *known = cli_options[i].name;
        if (known != NULL && strlen(known) == length && memcmp(known, name, length) == 0)
            return &cli_options[i];
    }
    return NULL;
}

/* A known option that may not stand where it does. */
static void complain_of_place(struct cli_options *options, const struct cli_option *option,
                              unsigned where)
{
    char name[32];
    const char *place;
    (void)spelling(option, name, sizeof name);
    if ((where & LATE) != 0 && (option->where & (where == CLI_LATE_RUN ? CLI_RUN : CLI_PLAN)) != 0)
        place = "stands before FILE";
    else if ((option->where & (CLI_RUN | CLI_PLAN | CLI_CHUNK)) == CLI_PLAN)
        place = "belongs to \"tutti plan\"";
    else if (option->where == CLI_REPL)
        place = "belongs to \"tutti repl\"";
    else if ((option->where & CLI_RUN) != 0)
        place = "belongs to \"tutti run\"";
    else
        place = "stands without a command";
    complain(options, "option %s %s", name, place);
}

static void complain_of_name(struct cli_options *options, const char *word, unsigned where)
{
    const char *name = word + 2;
    size_t length = strcspn(name, "=");
    const struct cli_option *known = find_name(name, length);
    struct cli_nearest nearest = {0};
    char cut[64];
    int prefix_count = 0;
    if (known != NULL) {
        complain_of_place(options, known, where);
        return;
    }
    (void)snprintf(cut, sizeof cut, "%.*s", (int)(length < sizeof cut ? length : sizeof cut - 1),
                   name);
    nearest.word = cut;
    for (int i = 0; i < CLI_OPTION_COUNT; i++) {
        if ((cli_options[i].where & where) == 0 || cli_options[i].name == NULL)
            continue;
        prefix_count += strncmp(cli_options[i].name, cut, strlen(cut)) == 0;
        cli_nearest_try(&nearest, cli_options[i].name);
    }
    if (prefix_count > 1)
        complain(options, "option \"--%s\" could be several", cut);
    else if (nearest.best != NULL)
        complain(options, "unknown option \"--%s\" (did you mean --%s?)", cut, nearest.best);
    else
        complain(options, "unknown option \"--%s\"", cut);
}

/* `code` is what getopt_long returned, `word` what it stopped at. */
static void complain_of_word(struct cli_options *options, int code, const char *word,
                             unsigned where)
{
    char name[32];
    const struct cli_option *option =
        optopt >= LONG_FIRST ? &cli_options[optopt - LONG_FIRST] : find_letter(optopt);
    if (code == ':' && option != NULL)
        complain(options, "option %s: %s is missing", spelling(option, name, sizeof name),
                 option->argument);
    else if (optopt >= LONG_FIRST)
        complain(options, "option %s takes no value", spelling(option, name, sizeof name));
    else if (optopt == 0 && strncmp(word, "--", 2) == 0)
        complain_of_name(options, word, where);
    else if (option != NULL)
        complain_of_place(options, option, where);
    else
        complain(options, "unknown option \"-%c\"", optopt);
}

/* ---- what it says ------------------------------------------------------------------------- */

static void complain_of_value(struct cli_options *options, const struct cli_option *option,
                              const char *text)
{
    struct cli_nearest nearest = {.word = text};
    char all[64] = "";
    for (const char *const *value = option->values; *value != NULL; value++) {
        size_t used = strlen(all);
        const char *between = value == option->values ? "" : value[1] == NULL ? " or " : ", ";
        (void)snprintf(all + used, sizeof all - used, "%s%s", between, *value);
        cli_nearest_try(&nearest, *value);
    }
    if (nearest.best != NULL)
        complain(options, "option --%s must be %s, got \"%.40s\" (did you mean \"%s\"?)",
                 option->name, all, text, nearest.best);
    else
        complain(options, "option --%s must be %s, got \"%.40s\"", option->name, all, text);
}

/* Which of its values it is; the first if it is none. */
static int read_value(struct cli_options *options, const struct cli_option *option,
                      const char *text)
{
    for (int i = 0; option->values[i] != NULL; i++) {
        if (strcmp(option->values[i], text) == 0)
            return i;
    }
    complain_of_value(options, option, text);
    return 0;
}

static int read_jobs(struct cli_options *options, const char *text)
{
    char *end = NULL;
    long count = strtol(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && count >= 1 && count <= CLI_JOBS_MAX)
        return (int)count;
    complain(options, "option --jobs must be a number of tasks from 1 to %d, got \"%.40s\"",
             CLI_JOBS_MAX, text);
    return 0;
}

static void read_arg(struct cli_options *options, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        complain(options, "option --arg must be NAME=VALUE, got \"%.60s\"", text);
    else
        options->args.list[options->args.count++] = text;
}

static void take(struct cli_options *options, enum cli_option_id id, const char *text)
{
    switch (id) {
    case CLI_OPTION_JOBS:
        options->jobs = read_jobs(options, text);
        break;
    case CLI_OPTION_ARG:
        read_arg(options, text);
        break;
    case CLI_OPTION_LIST:
        options->wants_list = true;
        break;
    case CLI_OPTION_DOT:
        options->plan = CLI_PLAN_DOT;
        break;
    case CLI_OPTION_MERMAID:
        options->plan = CLI_PLAN_MERMAID;
        break;
    case CLI_OPTION_JSON:
        options->plan = CLI_PLAN_JSON;
        break;
    case CLI_OPTION_PROGRESS:
        options->progress = (enum cli_progress)read_value(options, &cli_options[id], text);
        break;
    case CLI_OPTION_COLOR:
        options->color = (enum cli_color)read_value(options, &cli_options[id], text);
        break;
    case CLI_OPTION_QUIET:
        options->is_quiet = true;
        break;
    case CLI_OPTION_VERBOSE:
        options->verbose += options->verbose < CLI_VERBOSE_MAX;
        break;
    case CLI_OPTION_NO_READLINE:
        options->is_plain_prompt = true;
        break;
    case CLI_OPTION_CHUNK:
        options->chunk = text;
        break;
    case CLI_OPTION_HELP:
        options->wants_help = true;
        break;
    case CLI_OPTION_VERSION:
        options->wants_version = true;
        break;
    case CLI_OPTION_COUNT:
        break;
    }
}

/* Behind -e CHUNK all is the chunk's; help and version need nothing more. */
static bool is_enough(const struct cli_options *options, unsigned where)
{
    bool has_problem = options->problem[0] != '\0';
    return (where & LATE) == 0 &&
           (has_problem || options->chunk != NULL || options->wants_help || options->wants_version);
}

bool cli_options_read(struct cli_options *options, unsigned where, int argc, char **argv)
{
    struct spec spec;
    make_spec(&spec, where);
    memset(options, 0, sizeof *options);
    options->args.list = (const char **)calloc((size_t)argc + 1, sizeof *options->args.list);
    options->words.list = (const char **)calloc((size_t)argc + 1, sizeof *options->words.list);
    if (options->args.list == NULL || options->words.list == NULL) {
        complain(options, "out of memory");
        return false;
    }
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    while (!is_enough(options, where)) {
        int next = optind == 0 ? 1 : optind;
        int code = getopt_long(argc, argv, spec.letters, spec.longs, NULL);
        if (code == -1)
            break;
        const struct cli_option *option =
            code < LONG_FIRST ? find_letter(code) : &cli_options[code - LONG_FIRST];
        if (code == WORD)
            options->words.list[options->words.count++] = optarg;
        else if (code == '?' || code == ':')
            complain_of_word(options, code, argv[next], where);
        else
            take(options, (enum cli_option_id)(option - cli_options), optarg);
    }
    while (optind < argc)
        options->words.list[options->words.count++] = argv[optind++];
    return options->problem[0] == '\0';
}

void cli_options_free(struct cli_options *options)
{
    free((void *)options->args.list);
    free((void *)options->words.list);
}
