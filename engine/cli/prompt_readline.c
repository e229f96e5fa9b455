/* SPDX-License-Identifier: MIT */
/*
 * prompt_readline.c - lines as GNU readline edits them.
 *
 * The keys that make signals are keys like others here: so Ctrl-C drops exactly what was typed
 * before it, and nothing of what comes after it.
 *
 * Layer: cli. Thread: the terminal's; cli_editor_readline_open on the main thread.
 * Invariant: the library changes nothing of the process beyond the terminal's settings: no signals,
 * no environment.
 */
#include "cli/prompt_readline.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cli/prompt_history.h"
#include "cli/prompt_paste.h"
#include "cli/prompt_tab.h"
#include "cli/readline.h"

static const struct cli_readline *rl; /* set once */

/* Of the line that is edited. */
static enum cli_edit outcome;
static char *taken;
static bool is_interrupted;
static bool was_typed;
static bool is_resized; /* while no line was edited */
static bool is_paused;
static bool has_line;

/* ---- the terminal ------------------------------------------------------------------------- */

enum { KEY_INTERRUPT = 'C' & 0x1F, KEY_SUSPEND = 'Z' & 0x1F, AHEAD_BYTES = 64 * 1024 };

/* Keys that came before the terminal was given back: they are meant for the prompt, and Ctrl-C
 * among them is a key that would not make a signal any more. */
static struct {
    unsigned char keys[AHEAD_BYTES];
    size_t from, to;
} ahead;

static void set_signal_keys(bool make_signals)
{
    struct termios now;
    if (tcgetattr(STDIN_FILENO, &now) != 0)
        return;
    now.c_lflag = make_signals ? now.c_lflag | ISIG : now.c_lflag & ~(tcflag_t)ISIG;
    (void)tcsetattr(STDIN_FILENO, make_signals ? TCSANOW : TCSADRAIN, &now);
}

static void prepare(int meta)
{
    rl->rl_prep_terminal(meta);
    set_signal_keys(false);
}

static void read_ahead(void)
{
    int count = 0;
    memmove(ahead.keys, ahead.keys + ahead.from, ahead.to - ahead.from);
    ahead.to -= ahead.from;
    ahead.from = 0;
    if (ioctl(STDIN_FILENO, FIONREAD, &count) != 0 || count <= 0)
        return;
    size_t room = sizeof ahead.keys - ahead.to;
    ssize_t size = read(STDIN_FILENO, ahead.keys + ahead.to, (size_t)count < room ? (size_t)count : room);
    ahead.to += size > 0 ? (size_t)size : 0;
}

/* Every Ctrl-C from here on is a signal; those before are among the keys that are read now. */
static void restore(void)
{
    set_signal_keys(true);
    read_ahead();
    rl->rl_deprep_terminal();
}

/* Was Ctrl-C typed ahead? It drops what was typed before it. */
static bool take_interrupt(void)
{
    const unsigned char *key = (const unsigned char *)memrchr(ahead.keys + ahead.from, KEY_INTERRUPT,
                                                              ahead.to - ahead.from);
    if (key == NULL)
        return false;
    ahead.from = (size_t)(key - ahead.keys) + 1;
    return true;
}

static bool is_ready(void)
{
    return ahead.from < ahead.to;
}

/* In the middle of a paste the library reads on: the end of the program must not wait for that. */
static int get_key(FILE *stream)
{
    (void)stream;
    unsigned char byte = 0;
    if (is_ready())
        return ahead.keys[ahead.from++];
    while (cli_prompt_wait_key()) {
        ssize_t size = read(STDIN_FILENO, &byte, 1);
        if (size == 1)
            return byte;
        if (size == 0 || (errno != EINTR && errno != EAGAIN))
            break;
    }
    return EOF;
}

/* The library asks within its own patience for what may be the rest of a key. */
static int is_key_there(void)
{
    struct pollfd ready = { .fd = STDIN_FILENO, .events = POLLIN };
    return is_ready() || poll(&ready, 1, rl->rl_set_keyboard_input_timeout(-1) / 1000) > 0;
}

/* Whole lines, above the one that is edited. */
static void above(const char *bytes, size_t size)
{
    (void)rl->rl_clear_visible_line();
    (void)fwrite(bytes, 1, size, *rl->rl_outstream);
    (void)rl->rl_forced_update_display();
}

/* ---- keys --------------------------------------------------------------------------------- */

static int on_interrupt_key(int count, int key)
{
    (void)count;
    (void)key;
    is_interrupted = true;
    was_typed = cli_paste_drop() || *rl->rl_end > 0;
    *rl->rl_point = *rl->rl_end;
    (void)rl->rl_insert_text("^C");
    rl->rl_redisplay();
    return rl->rl_newline(1, '\n');
}

static int on_suspend_key(int count, int key)
{
    (void)count;
    (void)key;
    outcome = CLI_EDIT_SUSPEND;
    return 0;
}

static bool is_blank(const char *text, int size)
{
    return (int)strspn(text, " \t\n") >= size;
}

/* Put `insert` in the place of what has been typed of it. Returns false if it was that already. */
static bool complete(const struct cli_completion *found)
{
    size_t size = found->to - found->from;
    const char *typed = *rl->rl_line_buffer + found->from;
    if (strlen(found->insert) == size && memcmp(typed, found->insert, size) == 0)
        return false;
    (void)rl->rl_begin_undo_group();
    (void)rl->rl_delete_text((int)found->from, (int)found->to);
    *rl->rl_point = (int)found->from;
    (void)rl->rl_insert_text(found->insert);
    (void)rl->rl_end_undo_group();
    return true;
}

static int on_tab_key(int count, int key)
{
    (void)count;
    (void)key;
    struct cli_completion found = { 0 };
    if (is_blank(*rl->rl_line_buffer, *rl->rl_point))
        return rl->rl_insert_text("  ");
    if (!cli_tab_ask(*rl->rl_line_buffer, (size_t)*rl->rl_point, &found))
        return rl->rl_ding();
    if (!complete(&found) && found.listing != NULL)
        above(found.listing, strlen(found.listing));
    free(found.insert);
    free(found.listing);
    return 0;
}

static void bind(int key, cli_readline_command *command)
{
    static const char *const maps[] = { "emacs", "vi-insert", "vi-command" };
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        (void)rl->rl_bind_key_in_map(key, command, rl->rl_get_keymap_by_name(maps[i]));
}

/* ---- lines -------------------------------------------------------------------------------- */

static void on_line(char *line)
{
    has_line = false;
    rl->rl_callback_handler_remove();
    if (is_interrupted) {
        free(line);
        outcome = CLI_EDIT_INTERRUPT;
        taken = was_typed ? strdup("typed") : NULL;
        return;
    }
    outcome = line == NULL ? CLI_EDIT_END : take_interrupt() ? CLI_EDIT_CUT : CLI_EDIT_LINE;
    taken = cli_paste_join(line);
    if (outcome == CLI_EDIT_CUT)
        (void)fputs("^C", *rl->rl_outstream);
    (void)fflush(*rl->rl_outstream);
}

static void begin(const char *prompt)
{
    is_interrupted = false;
    has_line = true;
    if (rl->rl_eof_found != NULL) /* the library forgets to, and then ends the next line twice */
        *rl->rl_eof_found = 0;
    if (is_resized)
        rl->rl_reset_screen_size();
    is_resized = false;
    cli_paste_begin(prompt);
    rl->rl_callback_handler_install(prompt, on_line);
}

static enum cli_edit read_key(char **text)
{
    outcome = CLI_EDIT_MORE;
    taken = NULL;
    rl->rl_callback_read_char();
    *text = taken;
    return outcome;
}

static void pause_line(void)
{
    is_paused = true;
    (void)rl->rl_clear_visible_line();
    restore();
    (void)fflush(*rl->rl_outstream);
}

static void resume_line(void)
{
    is_paused = false;
    prepare(1);
    if (is_resized)
        rl->rl_reset_screen_size();
    is_resized = false;
    (void)rl->rl_forced_update_display();
}

static bool drop(void)
{
    bool typed = cli_paste_drop() || *rl->rl_end > 0;
    *rl->rl_point = *rl->rl_end;
    rl->rl_redisplay();
    (void)rl->rl_crlf();
    rl->rl_callback_sigcleanup();
    rl->rl_free_line_state();
    rl->rl_callback_handler_remove();
    (void)fflush(*rl->rl_outstream);
    has_line = false;
    return typed;
}

static void resize(void)
{
    is_resized = !has_line || is_paused;
    if (!is_resized)
        rl->rl_resize_terminal();
}

static void remember(const char *entry)
{
    rl->add_history(entry);
}

/* ---- opening ------------------------------------------------------------------------------ */

/* What is set before the library begins: it must leave signals and the environment alone. */
static void set_variables(FILE *out)
{
    *rl->rl_readline_name = "tutti";
    *rl->rl_instream = stdin;
    *rl->rl_outstream = out;
    *rl->rl_catch_signals = 0;
    *rl->rl_catch_sigwinch = 0;
    *rl->rl_change_environment = 0;
    *rl->rl_getc_function = get_key;
    *rl->rl_input_available_hook = is_key_there;
    *rl->rl_prep_term_function = prepare;
    *rl->rl_deprep_term_function = restore;
}

const struct cli_editor *cli_editor_readline_open(int fd)
{
    static const struct cli_editor editor = {
        .begin = begin, .read = read_key, .is_ready = is_ready, .pause = pause_line,
        .resume = resume_line, .drop = drop,
        .resize = resize, .above = above, .remember = remember,
    };
    rl = cli_readline_open();
    int copy = rl == NULL ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    FILE *out = copy < 0 ? NULL : fdopen(copy, "w");
    if (out == NULL)
        return NULL;
    (void)setvbuf(out, NULL, _IOFBF, 64 * 1024);
    set_variables(out);
    (void)rl->rl_initialize();
    rl->using_history();
    rl->stifle_history(CLI_HISTORY_MAX);
    bind(KEY_INTERRUPT, on_interrupt_key);
    bind(KEY_SUSPEND, on_suspend_key);
    bind('\t', on_tab_key);
    cli_paste_open(rl);
    return &editor;
}
