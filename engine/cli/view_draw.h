/* SPDX-License-Identifier: MIT */
/*
 * view_draw.h - what the live view shows, and its rows on a screen of a given size.
 *
 *     [=========>          ] 97/200  3 failed  12s  eta 14s  4 running
 *        12s  compile main.c  (waits for exec "cc")
 *         3s  link
 *       + 2 more
 *
 * Layer: cli. Thread: any; a function of its arguments.
 */
#ifndef TUTTI_CLI_VIEW_DRAW_H
#define TUTTI_CLI_VIEW_DRAW_H

#include "cli/view_text.h"

enum { CLI_VIEW_BARS = 8, CLI_VIEW_ROWS = 64 };

/* A run of a graph. */
struct cli_bar {
    char name[64];
    long total, done, failed, skipped, running; /* done: settled, however */
    double elapsed;   /* seconds, at the model's `at` */
    double remaining; /* below 0: not known */
};

/* A running task. */
struct cli_row {
    char name[240];
    char note[160]; /* what it waits for, its attempt; or "" */
    double age;     /* seconds, at the model's `at` */
};

struct cli_model {
    struct cli_bar bars[CLI_VIEW_BARS];
    struct cli_row rows[CLI_VIEW_ROWS]; /* oldest first */
    int bar_count;
    int row_count;
    long more_bars; /* how many there are beyond these */
    long more_rows;
    double at; /* the clock when all this was true, in seconds */
};

/* A screen, and the moment. */
struct cli_screen {
    int cols;
    int rows;
    double now; /* as the model's `at` */
    bool has_color;
};

/* How many rows the view may take of a screen with that many. */
int cli_draw_height(int rows);

/* Append the rows, each with a newline. Returns how many; 0 if nothing runs. */
int cli_draw(struct cli_text *text, const struct cli_model *model, const struct cli_screen *screen);

#endif
