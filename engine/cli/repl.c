/* SPDX-License-Identifier: MIT */
/*
 * repl.c - `tutti repl`: the prompt on a terminal, or a batch. Both are Lua (lua/tutti/repl).
 *
 * Layer: cli. Thread: the main thread is the loop thread.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/host.h"

int cli_repl(const struct cli_script *script)
{
    if (script->file != NULL && !cli_host_can_read(script->file))
        return CLI_BAD_USAGE;
    fputs("tutti: repl: the prompt is not there yet\n", stderr);
    return CLI_FAILED;
}
