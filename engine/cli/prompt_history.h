/* SPDX-License-Identifier: MIT */
/*
 * prompt_history.h - the file of what was typed: an entry a line, newlines in it as \n.
 *
 * Prompts that run side by side append to it in turn, so nothing is lost; of an entry that is
 * written while the machine dies a part may be left, which becomes an entry of its own.
 *
 * Layer: cli. Thread: the terminal's.
 */
#ifndef TUTTI_CLI_PROMPT_HISTORY_H
#define TUTTI_CLI_PROMPT_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

/* So many entries are kept; the file may grow by half as many before it is cut. */
enum { CLI_HISTORY_MAX = 10000 };

/**
 * Where it is: $XDG_STATE_HOME/tutti/history, else ~/.local/state/tutti/history; makes the folders
 * (0700). Returns: false: there is no home, or no folder can be made in it.
 */
bool cli_history_path(char *path, size_t capacity);

/* Call add() with each of the newest CLI_HISTORY_MAX entries, oldest first, and cut a file that has
   grown. */
void cli_history_load(const char *path, void (*add)(const char *entry));

/* Append an entry. Returns: false, with errno. */
bool cli_history_append(const char *path, const char *entry);

#endif
