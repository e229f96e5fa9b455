/* SPDX-License-Identifier: MIT */
/*
 * prompt.h - the terminal of `tutti repl`: a thread that edits lines, while text goes above them.
 *
 *     keys --> fd 0 --> terminal thread: editor (prompt_readline.c, or prompt_plain.c)
 *                          |  a line, Ctrl-C, the end, each by a post       ^ read("tutti> ")
 *                          v                                                |
 *                       loop thread: lua/tutti/repl/terminal.lua --> the evaluator
 *     any state --print--> stdout, stderr (streams) --> prompt_text.c --> above the line
 *
 * The thread has the terminal only while a line is edited. From the moment a line is handed over
 * until the next one is asked for, the terminal is as it was found and fd 0 is not read, so that
 * io.read, os.execute and programs that inherit stdin have it. As the thread never waits for the
 * loop longer than for an answer to Tab, keys are echoed however busy the loop is.
 *
 * Layer: cli. The process has one terminal, so there is no handle.
 */
#ifndef TUTTI_CLI_PROMPT_H
#define TUTTI_CLI_PROMPT_H

#include <lua.h>
#include <stdbool.h>

#include "cli/options.h"
#include "tutti.h"

/* Put the streams in place and choose the editor. Main thread, before any Lua state is made and
 * after the signals are blocked. */
void cli_prompt_open(const struct cli_options *options);

/* Give the Lua half its functions: session.prompt (prompt_lua.c).   [-1, +0, v] */
int cli_prompt_attach(lua_State *L);

/* From now on the thread may post to this engine, whose loop state is L. Loop thread. */
void cli_prompt_start(tutti_engine *engine, lua_State *L);

/* End the thread and give the terminal back. Loop thread, before L is closed. */
void cli_prompt_stop(void);

/**
 * Ctrl-C: drops the typed text, or cancels the line that runs.
 * Thread: any; not in a signal handler. Returns: false: there is no prompt (any more); do as
 *         without.
 */
bool cli_prompt_interrupt(void);

/* Give the terminal back while the process is stopped or something else has it, and take it again.
 * They nest. Thread: any but the terminal's own. Blocks: hold until the terminal is as it was
 * found. */
void cli_prompt_hold(void);
void cli_prompt_release(void);

/* Give the terminal back because the process ends now. Thread: any. */
void cli_prompt_end(void);

#endif
