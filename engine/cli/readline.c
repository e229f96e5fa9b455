/* SPDX-License-Identifier: MIT */
/*
 * readline.c - see readline.h.
 *
 * Layer: cli. Thread: the main thread.
 */
#include "cli/readline.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* 7.0: rl_clear_visible_line, and callbacks that do not read further than they are given. */
enum { OLDEST = 0x0700 };

static struct cli_readline readline;

static const struct symbol {
    const char *name;
    size_t offset;
    bool is_new;
} symbols[] = {
#define FUNCTION(result, name, parameters) { #name, offsetof(struct cli_readline, name), IS_NEW },
#define VARIABLE(type, name) { #name, offsetof(struct cli_readline, name), IS_NEW },
#define IS_NEW false
    CLI_READLINE_LIST(FUNCTION, VARIABLE)
#undef IS_NEW
#define IS_NEW true
    CLI_READLINE_NEW(VARIABLE)
#undef IS_NEW
#undef FUNCTION
#undef VARIABLE
};

static void *open_library(void)
{
    static const char *const names[] = { "libreadline.so.8", "libreadline.so" };
    void *library = NULL;
    for (size_t i = 0; library == NULL && i < sizeof names / sizeof names[0]; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    return library;
}

static bool find_symbols(void *library)
{
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        void *address = dlsym(library, symbols[i].name);
        if (address == NULL && !symbols[i].is_new)
            return false;
        memcpy((char *)&readline + symbols[i].offset, &address, sizeof address);
    }
    return true;
}

const struct cli_readline *cli_readline_open(void)
{
    void *library = open_library();
    if (library == NULL)
        return NULL;
    if (find_symbols(library) && *readline.rl_gnu_readline_p == 1
        && *readline.rl_readline_version >= OLDEST)
        return &readline;
    (void)dlclose(library);
    return NULL;
}
