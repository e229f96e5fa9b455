/* SPDX-License-Identifier: MIT */
/*
 * readline.h - GNU readline, if the machine has it: loaded at run time, so that nothing is linked
 * with it.
 *
 * Layer: cli. Thread: cli_readline_open on the main thread, before there are others; the
 * library itself on the terminal thread only.
 */
#ifndef TUTTI_CLI_READLINE_H
#define TUTTI_CLI_READLINE_H

#include <stdio.h>

typedef int cli_readline_command(int count, int key);

/* What is used of it: FUNCTION(result, name, parameters) and VARIABLE(type, name), with the names
 * of its own manual. */
#define CLI_READLINE_LIST(FUNCTION, VARIABLE)                                                       \
    FUNCTION(int, rl_initialize, (void))                                                            \
    FUNCTION(int, rl_variable_bind, (const char *name, const char *value))                          \
    FUNCTION(int, rl_bind_key_in_map, (int key, cli_readline_command *command, void *map))          \
    FUNCTION(int, rl_bind_keyseq_in_map, (const char *keys, cli_readline_command *, void *map))     \
    FUNCTION(void *, rl_get_keymap_by_name, (const char *name))                                     \
    FUNCTION(int, rl_read_key, (void))                                                              \
    FUNCTION(void, rl_callback_handler_install, (const char *prompt, void (*take)(char *line)))     \
    FUNCTION(void, rl_callback_handler_remove, (void))                                              \
    FUNCTION(void, rl_callback_read_char, (void))                                                   \
    FUNCTION(void, rl_callback_sigcleanup, (void))                                                  \
    FUNCTION(void, rl_prep_terminal, (int meta))                                                    \
    FUNCTION(void, rl_deprep_terminal, (void))                                                      \
    FUNCTION(void, rl_resize_terminal, (void))                                                      \
    FUNCTION(void, rl_reset_screen_size, (void))                                                    \
    FUNCTION(int, rl_clear_visible_line, (void))                                                    \
    FUNCTION(int, rl_forced_update_display, (void))                                                 \
    FUNCTION(void, rl_redisplay, (void))                                                            \
    FUNCTION(int, rl_crlf, (void))                                                                  \
    FUNCTION(int, rl_ding, (void))                                                                  \
    FUNCTION(int, rl_newline, (int count, int key))                                                 \
    FUNCTION(int, rl_insert_text, (const char *text))                                               \
    FUNCTION(int, rl_delete_text, (int from, int to))                                               \
    FUNCTION(void, rl_replace_line, (const char *text, int forgets_undo))                           \
    FUNCTION(int, rl_set_prompt, (const char *prompt))                                              \
    FUNCTION(int, rl_begin_undo_group, (void))                                                      \
    FUNCTION(int, rl_end_undo_group, (void))                                                        \
    FUNCTION(void, rl_free_line_state, (void))                                                      \
    FUNCTION(int, rl_set_keyboard_input_timeout, (int us))                                          \
    FUNCTION(void, using_history, (void))                                                           \
    FUNCTION(void, add_history, (const char *line))                                                 \
    FUNCTION(void, stifle_history, (int count))                                                     \
    VARIABLE(int, rl_gnu_readline_p)                                                                \
    VARIABLE(int, rl_readline_version)                                                              \
    VARIABLE(const char *, rl_readline_name)                                                        \
    VARIABLE(FILE *, rl_instream)                                                                   \
    VARIABLE(FILE *, rl_outstream)                                                                  \
    VARIABLE(int, rl_catch_signals)                                                                 \
    VARIABLE(int, rl_catch_sigwinch)                                                                \
    VARIABLE(int, rl_change_environment)                                                            \
    VARIABLE(int (*)(FILE *), rl_getc_function)                                                     \
    VARIABLE(int (*)(void), rl_input_available_hook)                                                \
    VARIABLE(void (*)(int), rl_prep_term_function)                                                  \
    VARIABLE(void (*)(void), rl_deprep_term_function)                                               \
    VARIABLE(char *, rl_line_buffer)                                                                \
    VARIABLE(int, rl_point)                                                                         \
    VARIABLE(int, rl_end)

/* Since 8.2; NULL before. */
#define CLI_READLINE_NEW(VARIABLE) VARIABLE(int, rl_eof_found)

#define CLI_READLINE_FUNCTION(result, name, parameters) result(*name) parameters;
#define CLI_READLINE_VARIABLE(type, name) __typeof__(type) *name;
struct cli_readline {
    CLI_READLINE_LIST(CLI_READLINE_FUNCTION, CLI_READLINE_VARIABLE)
    CLI_READLINE_NEW(CLI_READLINE_VARIABLE)
};
#undef CLI_READLINE_FUNCTION
#undef CLI_READLINE_VARIABLE

/* Returns: the library, for the rest of the process; NULL: there is none, or what goes by its name
 * is not GNU's or older than 7.0. */
const struct cli_readline *cli_readline_open(void);

#endif
