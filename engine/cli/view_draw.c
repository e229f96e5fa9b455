/* SPDX-License-Identifier: MIT */
/*
 * view_draw.c - see view_draw.h.
 *
 * Layer: cli. Thread: any. Locks: none.
 * Invariant: no row takes more than cols - 1 cells, and there are at most cli_draw_height rows.
 */
#include "cli/view_draw.h"

#include <stdio.h>
#include <string.h>

enum { BAR_MIN = 8, BAR_MAX = 30, BAR_WEIGHT = 4, NOTE_MIN = 12, COLS_MAX = 250, PARTS_MAX = 8 };

static const char red[] = "\033[31m";
static const char green[] = "\033[32m";
static const char dim[] = "\033[2m";
static const char plain[] = "\033[0m";

/* A text being made for one row, with the cells that are left in it. */
struct line {
    struct cli_text *text;
    bool has_color;
    int room;
};

static void put(struct line *line, const char *color, const char *words)
{
    bool is_colored = line->has_color && color != plain;
    if (is_colored)
        cli_text_add(line->text, color, strlen(color));
    line->room -= cli_text_put(line->text, words, line->room);
    if (is_colored)
        cli_text_add(line->text, plain, strlen(plain));
}

static void end_line(struct line *line)
{
    cli_text_add(line->text, "\n", 1);
}

static struct line begin_line(struct cli_text *text, const struct cli_screen *screen)
{
    int cols = screen->cols > COLS_MAX ? COLS_MAX : screen->cols;
    return (struct line){ text, screen->has_color, cols > 1 ? cols - 1 : 1 };
}

/* "7s", "1m04s", "2h05m", "3d04h" */
static void write_age(char *to, size_t size, double seconds)
{
    long s = seconds < 0 ? 0 : seconds > 1e9 ? 1000000000 : (long)seconds;
    if (s < 60)
        (void)snprintf(to, size, "%lds", s);
    else if (s < 3600)
        (void)snprintf(to, size, "%ldm%02lds", s / 60, s % 60);
    else if (s < 86400)
        (void)snprintf(to, size, "%ldh%02ldm", s / 3600, s / 60 % 60);
    else
        (void)snprintf(to, size, "%ldd%02ldh", s / 86400, s / 3600 % 24);
}

/* ---- the bar ------------------------------------------------------------------------------ */

/* One thing said of a run; what matters least is left out first. */
struct part {
    char words[80];
    const char *color;
    int weight; /* 1 matters most; 0: there is nothing to say */
};

static void count_part(struct part *part, long count, const char *what, const char *color,
                       int weight)
{
    part->weight = count > 0 ? weight : 0;
    part->color = color;
    (void)snprintf(part->words, sizeof part->words, "%ld %s", count, what);
}

static void time_part(struct part *part, const char *what, double seconds, int weight)
{
    char age[24];
    write_age(age, sizeof age, seconds);
    part->weight = weight;
    part->color = plain;
    (void)snprintf(part->words, sizeof part->words, "%s%s", what, age);
}

/* In the order in which they are shown. Returns how many. */
static int list_parts(struct part *parts, const struct cli_bar *bar, double passed)
{
    (void)snprintf(parts[0].words, sizeof parts[0].words, "%ld/%ld", bar->done, bar->total);
    parts[0].weight = 1;
    parts[0].color = plain;
    count_part(&parts[1], bar->failed, "failed", red, 2);
    count_part(&parts[2], bar->skipped, "skipped", plain, 6);
    count_part(&parts[3], bar->running, "running", plain, 5);
    time_part(&parts[4], "", bar->elapsed + passed, 3);
    time_part(&parts[5], "eta ", bar->remaining - passed, bar->remaining - passed >= 1 ? 4 : 0);
    return 6;
}

static int widths_of(const struct part *parts, int count, int weight_max)
{
    int width = 0;
    for (int i = 0; i < count; i++) {
        if (parts[i].weight > 0 && parts[i].weight <= weight_max)
            width += (width > 0 ? 2 : 0) + (int)strlen(parts[i].words);
    }
    return width;
}

static void put_bar(struct line *line, const struct cli_bar *bar, int width)
{
    char body[BAR_MAX + 1];
    int inner = width - 2;
    int full = bar->total > 0 ? (int)((double)bar->done * inner / (double)bar->total) : 0;
    full = full > inner ? inner : full;
    memset(body, '=', (size_t)full);
    memset(body + full, ' ', (size_t)(inner - full));
    if (full < inner)
        body[full] = '>';
    body[inner] = '\0';
    put(line, plain, "[");
    put(line, bar->failed > 0 ? red : green, body);
    put(line, plain, "] ");
}

static void draw_bar(struct cli_text *text, const struct cli_model *model, const struct cli_bar *bar,
                     const struct cli_screen *screen)
{
    struct part parts[PARTS_MAX] = { 0 };
    struct line line = begin_line(text, screen);
    int count = list_parts(parts, bar, screen->now - model->at);
    int weight = PARTS_MAX;
    bool has_name = bar->name[0] != '\0' && (model->bar_count > 1 || line.room >= 60);
    if (has_name && line.room >= 30) { /* a third is the name's */
        struct line head = { text, screen->has_color, line.room / 3 };
        put(&head, plain, bar->name);
        line.room -= line.room / 3 - head.room;
        put(&line, plain, " ");
    }
    while (weight > BAR_WEIGHT && widths_of(parts, count, weight) > line.room - 1 - BAR_MIN)
        weight--;
    while (weight > 1 && widths_of(parts, count, weight) > line.room)
        weight--;
    int rest = line.room - widths_of(parts, count, weight) - 1;
    if (rest >= BAR_MIN)
        put_bar(&line, bar, rest > BAR_MAX ? BAR_MAX : rest);
    const char *gap = "";
    for (int i = 0; i < count; i++) {
        if (parts[i].weight == 0 || parts[i].weight > weight)
            continue;
        put(&line, plain, gap);
        put(&line, parts[i].color, parts[i].words);
        gap = "  ";
    }
    end_line(&line);
}

/* ---- the tasks ---------------------------------------------------------------------------- */

static void draw_row(struct cli_text *text, const struct cli_model *model, const struct cli_row *row,
                     const struct cli_screen *screen)
{
    char age[24];
    char field[32];
    struct line line = begin_line(text, screen);
    write_age(age, sizeof age, row->age + screen->now - model->at);
    (void)snprintf(field, sizeof field, line.room < 30 ? "%4s " : "%7s  ", age);
    put(&line, dim, field);
    put(&line, plain, row->name);
    if (row->note[0] != '\0' && line.room >= NOTE_MIN) {
        char note[sizeof row->note + 8];
        (void)snprintf(note, sizeof note, "  (%s)", row->note);
        put(&line, dim, note);
    }
    end_line(&line);
}

static void draw_more(struct cli_text *text, long count, const char *what,
                      const struct cli_screen *screen)
{
    char words[64];
    struct line line = begin_line(text, screen);
    (void)snprintf(words, sizeof words, "%s+ %ld more%s", line.room < 30 ? "   " : "      ", count, what);
    put(&line, dim, words);
    end_line(&line);
}

int cli_draw_height(int rows)
{
    return rows <= 3 ? 1 : rows / 2;
}

/* How many of `have` (and `beyond` that are not at hand) are drawn in `room` rows; with more than one row
 * the last says how many are not. */
static int count_shown(int have, long beyond, int room)
{
    int most = have <= room && beyond == 0 ? room : room <= 1 ? room : room - 1;
    return have < most ? have : most < 0 ? 0 : most;
}

int cli_draw(struct cli_text *text, const struct cli_model *model, const struct cli_screen *screen)
{
    if (model->bar_count == 0)
        return 0;
    int room = cli_draw_height(screen->rows);
    int bar_room = room < 3 ? 1 : room / 3 < 2 ? 1 : room / 3;
    bool is_one_line = bar_room == 1;
    int bars = is_one_line ? 1 : count_shown(model->bar_count, model->more_bars, bar_room);
    int used = 0;
    for (int i = 0; i < bars; i++, used++)
        draw_bar(text, model, &model->bars[i], screen);
    long more_bars = model->bar_count - bars + model->more_bars;
    if (more_bars > 0 && !is_one_line) {
        draw_more(text, more_bars, " runs", screen);
        used++;
    }
    int rows = count_shown(model->row_count, model->more_rows, room - used);
    for (int i = 0; i < rows; i++, used++)
        draw_row(text, model, &model->rows[i], screen);
    long more_rows = model->row_count - rows + model->more_rows;
    if (more_rows > 0 && used < room) {
        draw_more(text, more_rows, "", screen);
        used++;
    }
    return used;
}
