/* SPDX-License-Identifier: MIT */
/*
 * repl.c - `tutti repl`: the prompt on a terminal, or a batch. Both are Lua (lua/tutti/repl).
 *
 * Layer: cli. Thread: the main thread is the loop thread.
 */
#include <stdio.h>
#include <unistd.h>

#include <lauxlib.h>

#include "cli/cli.h"
#include "cli/host.h"
#include "cli/prompt.h"

static int run_prompt(struct cli_host *host)
{
    static const char chunk[] = "require(\"tutti.repl.terminal\").run()";
    if (luaL_loadbufferx(host->L, chunk, sizeof chunk - 1, "=prompt", "t") != LUA_OK)
        return CLI_FAILED;
    return cli_host_run_loaded(host, "prompt", 0);
}

int cli_repl(const struct cli_script *script)
{
    if (script->file != NULL && !cli_host_can_read(script->file))
        return CLI_BAD_USAGE;
    static const struct cli_face prompt = { cli_prompt_open, cli_prompt_attach, cli_prompt_start,
                                            cli_prompt_stop };
    if (script->file == NULL && isatty(STDIN_FILENO) == 1)
        return cli_host_run(script, &prompt, run_prompt);
    fputs("tutti: repl: the prompt is not there yet\n", stderr);
    return CLI_FAILED;
}
