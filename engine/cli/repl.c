/* SPDX-License-Identifier: MIT */
/*
 * repl.c - `tutti repl`: the prompt on a terminal, or a batch. Both are Lua (lua/tutti/repl).
 *
 * Layer: cli. Thread: the main thread is the loop thread.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "cli/cli.h"
#include "cli/host.h"
#include "cli/prompt.h"
#include "cli/view.h"

/* Run a chunk of ours as the main task. */
static int run_chunk(struct cli_host *host, const char *chunk, const char *name)
{
    if (luaL_loadbufferx(host->L, chunk, strlen(chunk), "=prompt", "t") != LUA_OK) {
        fprintf(stderr, "tutti: %s\n", lua_tostring(host->L, -1));
        return CLI_FAILED;
    }
    return cli_host_run_loaded(host, name, 0);
}

static int run_prompt(struct cli_host *host)
{
    return run_chunk(host, "require('tutti.repl.terminal').run()", "prompt");
}

static int run_batch(struct cli_host *host)
{
    const char *file = host->script->file;
    return run_chunk(host, "require('tutti.repl.batch').run()",
                     file == NULL ? "stdin" : file);
}

int cli_repl(const struct cli_script *script)
{
    static const struct cli_face prompt = { cli_prompt_open, cli_prompt_attach, cli_prompt_start,
                                            cli_prompt_stop };
    /* A batch shows what it prints and no progress: the view is off (main.c). */
    static const struct cli_face batch = { cli_view_open, cli_view_attach, cli_view_start, cli_view_stop };
    if (script->file != NULL && !cli_host_can_read(script->file))
        return CLI_BAD_USAGE;
    if (script->file == NULL && isatty(STDIN_FILENO) == 1)
        return cli_host_run(script, &prompt, run_prompt);
    return cli_host_run(script, &batch, run_batch);
}
