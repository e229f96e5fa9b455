/* SPDX-License-Identifier: MIT */
/*
 * test_view.c - the live view: its rows for screens of many sizes, and what is left on a terminal of text
 * that is written while it is shown: all of it, as if there had been no view.
 */
#include <fcntl.h>
#include <unistd.h>

#include "cli/view_draw.h"
#include "cli/view_terminal.h"
#include "support/tap.h"
#include "support/vt.h"

/* ---- the rows ------------------------------------------------------------------------------- */

static struct cli_model model;
static char drawn[64 * 1024];

static void add_row(const char *name, const char *note, double age)
{
    struct cli_row *row = &model.rows[model.row_count++];
    cli_text_copy(row->name, sizeof row->name, name, strlen(name));
    cli_text_copy(row->note, sizeof row->note, note, strlen(note));
    row->age = age;
}

static void set_bar(int at, const char *name, long total, long done)
{
    struct cli_bar *bar = &model.bars[at];
    *bar = (struct cli_bar){ .total = total, .done = done, .running = 3, .elapsed = 12, .remaining = 74 };
    cli_text_copy(bar->name, sizeof bar->name, name, strlen(name));
}

static void new_model(void)
{
    model = (struct cli_model){ .bar_count = 1, .at = 100 };
    set_bar(0, "build", 200, 97);
    add_row("compile engine/lua/module.c", "waits for process \"cc\"", 64);
    add_row("link", "", 2);
    add_row("docs", "attempt 2", 0);
}

static const char *draw(int cols, int rows, double now, bool has_color)
{
    struct cli_text text = { drawn, 0, sizeof drawn - 1 };
    struct cli_screen screen = { cols, rows, now, has_color };
    (void)cli_draw(&text, &model, &screen);
    drawn[text.size] = '\0';
    return drawn;
}

static void test_sizes(void)
{
    new_model();
    EQ_STR(draw(80, 24, 100, false),
           "build [=============>              ] 97/200  3 running  12s  eta 1m14s\n"
           "  1m04s  compile engine/lua/module.c  (waits for process \"cc\")\n"
           "     2s  link\n"
           "     0s  docs  (attempt 2)\n",
           "80 columns");
    EQ_STR(draw(40, 24, 100, false),
           "[======>       ] 97/200  12s  eta 1m14s\n"
           "  1m04s  compile engine/lua/module.c\n"
           "     2s  link\n"
           "     0s  docs  (attempt 2)\n",
           "40 columns: what matters least is left out");
    EQ_STR(draw(20, 24, 100, false),
           "97/200  12s\n"
           "1m04s compil..ule.c\n"
           "  2s link\n"
           "  0s docs\n",
           "20 columns");
    EQ_STR(draw(6, 24, 100, false),
           "97.00\n"
           "1m.s \n"
           "  2s \n"
           "  0s \n",
           "6 columns");
    EQ_STR(draw(80, 3, 100, false),
           "build [=============>              ] 97/200  3 running  12s  eta 1m14s\n",
           "3 rows: the bar alone");
    EQ_STR(draw(80, 6, 100, false),
           "build [=============>              ] 97/200  3 running  12s  eta 1m14s\n"
           "  1m04s  compile engine/lua/module.c  (waits for process \"cc\")\n"
           "      + 2 more\n",
           "6 rows: half of them, and how many are not shown");
    model.more_rows = 1000;
    EQ_STR(draw(40, 10, 100, false),
           "[======>       ] 97/200  12s  eta 1m14s\n"
           "  1m04s  compile engine/lua/module.c\n"
           "     2s  link\n"
           "     0s  docs  (attempt 2)\n"
           "      + 1000 more\n",
           "more rows than the model has");
}

static void test_time(void)
{
    new_model();
    model.row_count = 1;
    EQ_STR(draw(80, 24, 101.5, false),
           "build [=============>              ] 97/200  3 running  13s  eta 1m12s\n"
           "  1m05s  compile engine/lua/module.c  (waits for process \"cc\")\n",
           "ages go up, the time left goes down");
    EQ_STR(draw(80, 24, 100 + 90000, false),
           "build [=============>              ] 97/200  3 running  1d01h\n"
           "  1d01h  compile engine/lua/module.c  (waits for process \"cc\")\n",
           "an eta that has passed is not shown");
}

static void test_failures(void)
{
    new_model();
    model.row_count = 0;
    model.bars[0].failed = 2;
    model.bars[0].skipped = 7;
    model.bars[0].remaining = -1;
    EQ_STR(draw(80, 24, 100, false),
           "build [=============>             ] 97/200  2 failed  7 skipped  3 running  12s\n",
           "failed and skipped tasks are counted");
    EQ_STR(draw(80, 24, 100, true),
           "build [\033[31m=============>             \033[0m] 97/200  \033[31m2 failed\033[0m  "
           "7 skipped  3 running  12s\n",
           "with colours");
}

static void test_runs(void)
{
    new_model();
    set_bar(1, "tests", 10, 10);
    set_bar(2, "a very long name that takes more than its part", 0, 0);
    model.bar_count = 3;
    EQ_STR(draw(80, 24, 100, false),
           "build [=============>              ] 97/200  3 running  12s  eta 1m14s\n"
           "tests [============================] 10/10  3 running  12s  eta 1m14s\n"
           "a very long ..han its part [>                  ] 0/0  3 running  12s  eta 1m14s\n"
           "  1m04s  compile engine/lua/module.c  (waits for process \"cc\")\n"
           "     2s  link\n"
           "     0s  docs  (attempt 2)\n",
           "a bar for each run");
    model.more_bars = 4;
    EQ_STR(draw(60, 14, 100, false),
           "build [========>        ] 97/200  3 running  12s  eta 1m14s\n"
           "      + 6 more runs\n"
           "  1m04s  compile engine/lua/module.c  (waits fo..cess \"cc\")\n"
           "     2s  link\n"
           "     0s  docs  (attempt 2)\n",
           "and how many there are beyond");
    EQ_STR(draw(60, 6, 100, false),
           "build [========>        ] 97/200  3 running  12s  eta 1m14s\n"
           "  1m04s  compile engine/lua/module.c  (waits fo..cess \"cc\")\n"
           "      + 2 more\n",
           "on a small screen the oldest");
    model.bar_count = 0;
    EQ_STR(draw(80, 24, 100, false), "", "nothing runs: nothing");
}

/* ---- names ---------------------------------------------------------------------------------- */

static const char *put(const char *name, int cells)
{
    struct cli_text text = { drawn, 0, sizeof drawn - 1 };
    (void)cli_text_put(&text, name, cells);
    drawn[text.size] = '\0';
    return drawn;
}

static void test_names(void)
{
    EQ_STR(put("plain", 5), "plain", "a name that fits");
    EQ_STR(put("compile engine/lua/module.c", 16), "compile..odule.c", "the middle is left out");
    EQ_STR(put("abcdefgh", 4), "ab.h", "with little room");
    EQ_STR(put("abc", 1), "a", "with one cell");
    EQ_STR(put("abc", 0), "", "with none");
    EQ_STR(put("a\nb\tc\033[31md\x7f", 80), "a?b?c?[31md?", "control characters");
    EQ_STR(put("a\xff\xc3<\xe2\x82", 80), "a?\?<??", "bytes that are no UTF-8");
    EQ_STR(put("a\xe2\x80\xae" "b", 80), "a?b", "what turns the direction of writing");
    EQ_STR(put("\u65e5\u672c\u8a9e", 6), "\u65e5\u672c\u8a9e", "wide characters that fit");
    EQ_STR(put("\u65e5\u672c\u8a9e", 5), "\u65e5.\u8a9e", "wide characters are not cut in two");
    EQ_STR(put("\u65e5\u672c", 1), "", "one that does not fit");
    EQ_STR(put("e\u0301te\u0301", 3), "e\u0301te\u0301", "combining ones take no room");
    EQ_INT(cli_text_width("\u65e5e\u0301?"), 4, "the width of a name");
}

static void test_copies(void)
{
    char to[12];
    cli_text_copy(to, sizeof to, "short", 5);
    EQ_STR(to, "short", "a copy");
    cli_text_copy(to, sizeof to, "0123456789abcdef", 16);
    EQ_STR(to, "0123..bcdef", "of a long one the middle is left out");
    cli_text_copy(to, sizeof to, "\u65e5\u672c\u8a9e\u65e5\u672c\u8a9e", 18);
    EQ_STR(to, "\u65e5..\u8a9e", "between characters");
    cli_text_copy(to, sizeof to, "a\0b", 3);
    EQ_STR(to, "a?b", "a byte 0");
}

/* Of ASCII, of CJK, and what is neither. */
static char any_byte(uint64_t *state)
{
    uint64_t dice = tap_random(state);
    uint64_t byte = tap_random(state);
    return (char)(dice % 4 == 0 ? byte % 128 : dice % 4 == 1 ? 0xE5 + byte % 4 : 0x80 + byte % 64);
}

/* Any bytes on any screen: no row is wider than the screen less one, none is too many, and nothing moves
 * the cursor. */
static void test_any_names(void)
{
    uint64_t state = tap_seed();
    int wrong = 0;
    struct vt *vt = (struct vt *)malloc(sizeof *vt);
    for (int round = 0; round < 300; round++) {
        char name[300];
        int cols = 2 + (int)(tap_random(&state) % 200);
        int rows = 1 + (int)(tap_random(&state) % 60);
        new_model();
        for (int i = 0; i < 20; i++) {
            size_t size = tap_random(&state) % sizeof name;
            for (size_t k = 0; k < size; k++)
                name[k] = any_byte(&state);
            struct cli_row *row = &model.rows[model.row_count++];
            cli_text_copy(row->name, sizeof row->name, name, size);
            cli_text_copy(row->note, sizeof row->note, name, size / 2);
        }
        vt_begin(vt, cols, 64);
        const char *text = draw(cols, rows, 100, false);
        vt_feed(vt, text, strlen(text));
        wrong += vt->is_wrong || vt->y > cli_draw_height(rows);
        for (int y = 0; y < 64; y++)
            wrong += vt->wrapped[y] || vt->cells[y][cols - 1][0] != '\0';
        vt_end(vt);
    }
    free(vt);
    EQ_INT(wrong, 0, "names of any bytes keep to their rows");
}

/* ---- a terminal that text and the view share ------------------------------------------------ */

static int outlet = -1; /* what the view has written */
static int block_rows = 0;

static int render_some(struct cli_text *text, int cols, int rows)
{
    (void)rows;
    for (int i = 0; i < block_rows; i++) {
        for (int k = 0; k < cols - 1; k++)
            cli_text_add(text, "#", 1);
        cli_text_add(text, "\n", 1);
    }
    return block_rows;
}

static void open_terminal(int cols, int rows)
{
    char number[16];
    if (outlet < 0) {
        int fds[2];
        REQUIRE(pipe(fds) == 0, "a pipe for a terminal");
        outlet = fds[0];
        (void)fcntl(outlet, F_SETFL, O_NONBLOCK);
        (void)fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
        cli_terminal_open(fds[1]);
    }
    (void)snprintf(number, sizeof number, "%d", cols);
    (void)setenv("COLUMNS", number, 1);
    (void)snprintf(number, sizeof number, "%d", rows);
    (void)setenv("LINES", number, 1);
}

/* What has been written since the last time goes onto the screen. */
static void show(struct vt *vt)
{
    static char bytes[1 << 20];
    ssize_t size = read(outlet, bytes, sizeof bytes);
    if (size > 0)
        vt_feed(vt, bytes, (size_t)size);
}

static void say(const char *text)
{
    bool has_hidden;
    (void)cli_terminal_write(text, strlen(text), &has_hidden);
}

static void paint(int rows)
{
    block_rows = rows;
    cli_terminal_paint(render_some);
}

static void check_screen(struct vt *vt, const char *want, const char *what)
{
    show(vt);
    char *got = vt_screen(vt);
    EQ_STR(got, want, what);
    free(got);
}

static void test_above(void)
{
    struct vt *vt = (struct vt *)malloc(sizeof *vt);
    open_terminal(8, 6);
    vt_begin(vt, 8, 6);
    say("one\n");
    paint(2);
    check_screen(vt, "one\n#######\n#######\n", "the view below the text");
    EQ_INT(vt->x * 100 + vt->y, 1, "the cursor stands where text goes on");
    say("two\nthree\n");
    check_screen(vt, "one\ntwo\nthree\n", "text takes its place");
    paint(2);
    say("name? ");
    paint(2);
    check_screen(vt, "one\ntwo\nthree\nname?\n#######\n#######\n", "a line without end");
    EQ_INT(vt->x * 100 + vt->y, 603, "the cursor stands behind it");
    say("al\n");
    paint(3);
    check_screen(vt, "two\nthree\nname? al\n#######\n#######\n#######\n", "at the bottom the text scrolls");
    cli_terminal_hold();
    paint(1);
    check_screen(vt, "two\nthree\nname? al\n", "put away");
    cli_terminal_release();
    paint(1);
    paint(0);
    say("12345678");
    paint(1);
    check_screen(vt, "two\nthree\nname? al\n12345678\n#######\n", "a row that is full");
    say("9\n");
    paint(0);
    check_screen(vt, "two\nthree\nname? al\n123456789\n", "and goes on in the next");
    OK(!vt->is_wrong, "no sequence that is not known");
    vt_end(vt);
    free(vt);
}

static const char *const pieces[] = {
    "a line\n", "x", "\n", "half ", "of it\n", "\033[31mred\033[0m\n", "\033[31mred\n\033[0m",
    "10%\r",
    "\u65e5\u672c\u8a9e", "e\u0301", "0123456789",
    "a text that is longer than any row of this small terminal\n",
    "one\ntwo\nthree", "\033]0;title\007", "",
};

/* Whatever is written and painted, in the end all of the text is there as if nothing had been painted. */
static void test_any_text(void)
{
    uint64_t state = tap_seed();
    int wrong = 0;
    struct vt *with = (struct vt *)malloc(sizeof *with);
    struct vt *without = (struct vt *)malloc(sizeof *without);
    for (int round = 0; round < 400 && wrong == 0; round++) {
        int cols = 8 + (int)(tap_random(&state) % 12);
        int rows = 4 + (int)(tap_random(&state) % 8);
        open_terminal(cols, rows);
        vt_begin(with, cols, rows);
        vt_begin(without, cols, rows);
        say("\n");
        vt_feed(without, "\n", 1);
        for (int i = 0; i < 60; i++) {
            const char *piece = pieces[tap_random(&state) % (sizeof pieces / sizeof pieces[0])];
            say(piece);
            vt_feed(without, piece, strlen(piece));
            if (tap_random(&state) % 2 == 0)
                paint((int)(tap_random(&state) % (uint64_t)(rows - 1)));
            show(with);
        }
        say("\n");
        vt_feed(without, "\n", 1);
        paint(0);
        show(with);
        char *got = vt_text(with);
        char *want = vt_text(without);
        if (strcmp(got, want) != 0 || with->is_wrong) {
            size_t at = 0;
            while (got[at] != '\0' && got[at] == want[at])
                at++;
            at = at < 60 ? 0 : at - 60;
            wrong++;
            got[strlen(got) < at + 100 ? strlen(got) : at + 100] = '\0';
            want[strlen(want) < at + 100 ? strlen(want) : at + 100] = '\0';
            printf("# %d x %d\n", cols, rows);
            EQ_STR(got + at, want + at, "the text with a view, and without");
        }
        free(got);
        free(want);
        vt_end(with);
        vt_end(without);
    }
    free(with);
    free(without);
    EQ_INT(wrong, 0, "no text is lost, torn or moved by what is painted");
}

int main(void)
{
    TAP_BEGIN();
    test_sizes();
    test_time();
    test_failures();
    test_runs();
    test_names();
    test_copies();
    test_any_names();
    test_above();
    test_any_text();
    return TAP_END();
}
