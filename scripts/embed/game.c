/* SPDX-License-Identifier: MIT */
/*
 * game.c - tutti inside a game of 60 frames a second (SDL2).
 *
 * The game's own thread is the loop thread. In each frame it
 *   - moves 20,000 bodies with tutti_parallel_for, itself and the workers together,
 *   - gives tutti 2 ms by tutti_poll: the creatures' Lua goes on, loaded assets become textures,
 *   - draws, and sleeps until the next frame.
 * An asset is three tasks: read (may block: an extra thread) -> decode (any worker, low priority) -> upload
 * (pinned to this thread, because textures belong to it). The creatures are Lua tasks in the game's own
 * lua_State, see game.lua. There are as many workers as CPUs but one: the game works as well.
 *
 *   cc -O2 scripts/embed/game.c $(pkg-config --cflags --libs tutti-lua lua5.4 sdl2) -lm -o game
 *   SDL_VIDEODRIVER=dummy ./game --frames 300
 *
 * --frames N      at least so many frames (300); more when not everything is loaded and done by then
 * --creatures N   so many creatures (200), up to 20,000: then frames use their budget up
 * --strict        status 1 when the p99 of a poll is over the budget and half a millisecond
 *
 * env: SDL_VIDEODRIVER=dummy
 * args: --frames 90
 * expect~: frames: %d+ of 16.67 ms, %d+ late
 * expect: assets: 24 read, 24 decoded, 24 uploaded on the game's thread
 * expect: creatures: 200 of 200 done after 1000 moves
 * expect: bodies: 20000 inside the world
 * expect~: work in a frame: p50 %d+.%d+ ms, p99 %d+.%d+ ms, max %d+.%d+ ms
 * expect~: a poll: p50 %d+.%d+ ms, p99 %d+.%d+ ms, max %d+.%d+ ms; budget 2.00 ms, used up %d+ times
 * expect~: its CPU time: p50 %d+.%d+ ms, p99 %d+.%d+ ms, max %d+.%d+ ms
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <SDL.h>
#include <lauxlib.h>
#include <lualib.h>
#include <tutti_lua.h>

enum { BODIES = 20000, ASSETS = 24, SHOWN = 500, SIDE = 64, WIDTH = 640, HEIGHT = 360 };
enum { FRAMES_MAX = 100000, EXTRA_FRAMES = 1800, RAW_BYTES = 4096 };

#define FRAME_NS UINT64_C(16666667)
#define BUDGET_NS UINT64_C(2000000)
#define SLACK_NS UINT64_C(500000)

struct body {
    float x, y, vx, vy;
};

struct game;

/* Each step writes its part and the next one reads it: the edge between them is all the order it takes. */
struct asset {
    struct game *game;
    int number;
    tutti_task *task; /* the upload */
    size_t raw_length;
    unsigned char raw[RAW_BYTES];
    uint32_t pixels[SIDE * SIDE];
    SDL_Texture *texture; /* [game's thread] */
    bool is_read, is_decoded, is_here;
};

struct game {
    tutti_engine *engine;
    lua_State *L;
    pthread_t thread;
    SDL_Window *window;
    SDL_Renderer *renderer;
    struct body bodies[BODIES]; /* the first ones are the creatures */
    struct asset assets[ASSETS];
    int creatures, moves, finished; /* [game's thread] */
    int frames, frames_min, late, used_up;
    bool is_strict;
    uint64_t work_ns[FRAMES_MAX], poll_ns[FRAMES_MAX], poll_cpu_ns[FRAMES_MAX];
};

static struct game the_game;

static void must(bool good, const char *what, const char *why)
{
    if (!good) {
        fprintf(stderr, "game: %s: %s\n", what, why);
        exit(2);
    }
}

static void must_ok(int rc, const char *what)
{
    must(rc == TUTTI_OK, what, tutti_status_text(rc));
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* ---- assets: read -> decode -> upload ------------------------------------------------------- */

static int read_asset(tutti_task *self, void *arg, tutti_value *result)
{
    struct asset *asset = arg;
    (void)self, (void)result;
    FILE *file = fopen("/proc/self/exe", "rb");
    if (file == NULL)
        return TUTTI_EIO;
    if (fseek(file, asset->number * 64L, SEEK_SET) == 0)
        asset->raw_length = fread(asset->raw, 1, sizeof asset->raw, file);
    fclose(file);
    asset->is_read = asset->raw_length > 0;
    return asset->is_read ? TUTTI_OK : TUTTI_EIO;
}

static int decode_asset(tutti_task *self, void *arg, tutti_value *result)
{
    struct asset *asset = arg;
    (void)result;
    for (uint32_t pass = 0; pass < 16; pass++) {
        if (tutti_task_is_cancelled(self))
            return TUTTI_ECANCELED;
        for (uint32_t i = 0; i < SIDE * SIDE; i++) {
            uint32_t mixed = (asset->pixels[i] ^ asset->raw[(i + pass) % asset->raw_length]) * 0x01000193u;
            asset->pixels[i] = mixed | 0xff000000u;
        }
    }
    asset->is_decoded = asset->is_read;
    return TUTTI_OK;
}

static int upload_asset(tutti_task *self, void *arg, tutti_value *result)
{
    struct asset *asset = arg;
    struct game *game = asset->game;
    (void)self, (void)result;
    asset->texture = SDL_CreateTexture(game->renderer, SDL_PIXELFORMAT_ARGB8888, SDL_TEXTUREACCESS_STATIC,
                                       SIDE, SIDE);
    if (asset->texture == NULL)
        return TUTTI_EIO;
    SDL_UpdateTexture(asset->texture, NULL, asset->pixels, SIDE * (int)sizeof asset->pixels[0]);
    asset->is_here = pthread_equal(pthread_self(), game->thread) != 0;
    return TUTTI_OK;
}

static void load_asset(struct game *game, struct asset *asset)
{
    tutti_task *read, *decode;
    tutti_task_desc desc = { .struct_size = sizeof desc, .arg = asset };

    desc.fn = read_asset, desc.flags = TUTTI_BLOCKING, desc.name = "read";
    must_ok(tutti_submit(game->engine, &desc, NULL, 0, &read), "read");
    desc.fn = decode_asset, desc.flags = TUTTI_NO_LOOP, desc.name = "decode";
    desc.priority = TUTTI_PRIORITY_LOW; /* a frame's own work goes first */
    must_ok(tutti_submit(game->engine, &desc, &read, 1, &decode), "decode");
    desc.fn = upload_asset, desc.flags = TUTTI_PIN_LOOP, desc.name = "upload";
    desc.priority = TUTTI_PRIORITY_NORMAL;
    must_ok(tutti_submit(game->engine, &desc, &decode, 1, &asset->task), "upload");
    tutti_task_unref(read);
    tutti_task_unref(decode);
}

/* ---- creatures: what game.lua calls --------------------------------------------------------- */

static struct body *check_creature(lua_State *L)
{
    lua_Integer id = luaL_checkinteger(L, 1);
    luaL_argcheck(L, id >= 1 && id <= the_game.creatures, 1, "no such creature");
    return &the_game.bodies[id - 1];
}

static int l_kick(lua_State *L)
{
    struct body *body = check_creature(L);
    body->vx = (float)luaL_checknumber(L, 2);
    body->vy = (float)luaL_checknumber(L, 3);
    the_game.moves++;
    return 0;
}

static int l_position(lua_State *L)
{
    struct body *body = check_creature(L);
    lua_pushnumber(L, (lua_Number)body->x);
    lua_pushnumber(L, (lua_Number)body->y);
    return 2;
}

static int l_finish(lua_State *L)
{
    (void)check_creature(L);
    the_game.finished++;
    return 0;
}

static void start_creatures(struct game *game)
{
    static const luaL_Reg functions[] = {
        { "kick", l_kick }, { "position", l_position }, { "finish", l_finish }, { NULL, NULL },
    };
    lua_State *L = game->L = luaL_newstate();
    must(L != NULL, "Lua", "out of memory");
    luaL_openlibs(L);
    must_ok(tutti_lua_attach(L, game->engine), "attach");
    int rc = luaL_loadfile(L, "scripts/embed/game.lua");
    if (rc == LUA_OK) {
        luaL_newlib(L, functions);
        lua_pushinteger(L, game->creatures);
        lua_setfield(L, -2, "count");
        rc = lua_pcall(L, 1, 0, 0); /* starts a task for each */
    }
    if (rc != LUA_OK)
        must(false, "game.lua", lua_tostring(L, -1));
}

/* ---- a frame -------------------------------------------------------------------------------- */

static int move_bodies(void *user, size_t begin, size_t end)
{
    struct body *bodies = user;
    const float dt = 1.0f / 60;
    for (size_t i = begin; i < end; i++) {
        struct body *b = &bodies[i];
        b->x += b->vx * dt;
        b->y += b->vy * dt;
        if (b->x < 0 || b->x > 1) {
            b->x = fminf(fmaxf(b->x, 0), 1);
            b->vx = -b->vx;
        }
        if (b->y < 0 || b->y > 1) {
            b->y = fminf(fmaxf(b->y, 0), 1);
            b->vy = -b->vy;
        }
    }
    return TUTTI_OK;
}

static void draw(struct game *game)
{
    SDL_SetRenderDrawColor(game->renderer, 16, 16, 24, 255);
    SDL_RenderClear(game->renderer);
    for (int i = 0; i < game->creatures && i < SHOWN; i++) {
        const struct body *b = &game->bodies[i];
        SDL_Rect place = { (int)(b->x * (WIDTH - 16)), (int)(b->y * (HEIGHT - 16)), 16, 16 };
        SDL_Texture *texture = game->assets[i % ASSETS].texture; /* none until it has been uploaded */
        if (texture != NULL)
            SDL_RenderCopy(game->renderer, texture, NULL, &place);
    }
    SDL_RenderPresent(game->renderer);
}

static bool wants_to_quit(void)
{
    SDL_Event event;
    bool quit = false;
    while (SDL_PollEvent(&event) != 0)
        quit = quit || event.type == SDL_QUIT;
    return quit;
}

static void poll_tutti(struct game *game)
{
    uint64_t start = now_ns(), start_cpu = read_clock(CLOCK_THREAD_CPUTIME_ID);
    int rc = tutti_poll(game->engine, BUDGET_NS);
    game->poll_cpu_ns[game->frames] = read_clock(CLOCK_THREAD_CPUTIME_ID) - start_cpu;
    game->poll_ns[game->frames] = now_ns() - start;
    must(rc == TUTTI_OK || rc == TUTTI_EAGAIN, "poll", tutti_status_text(rc));
    game->used_up += rc == TUTTI_EAGAIN; /* the rest is done in the next frame */
}

static void run_frame(struct game *game)
{
    const tutti_range all = { 0, BODIES, 0 };
    uint64_t start = now_ns();
    must_ok(tutti_parallel_for(game->engine, &all, move_bodies, game->bodies), "parallel_for");
    poll_tutti(game);
    draw(game);
    game->work_ns[game->frames] = now_ns() - start;
}

static bool is_complete(const struct game *game)
{
    for (int i = 0; i < ASSETS; i++)
        if (!tutti_task_is_done(game->assets[i].task))
            return false;
    return game->finished == game->creatures;
}

static void run_frames(struct game *game)
{
    uint64_t next = now_ns();
    int limit = game->frames_min + EXTRA_FRAMES;
    while (game->frames < limit && (game->frames < game->frames_min || !is_complete(game))) {
        if (wants_to_quit())
            break;
        run_frame(game);
        game->frames++;
        next += FRAME_NS;
        uint64_t now = now_ns();
        if (now > next) {
            game->late++;
            next = now; /* what is lost is lost: no hurry afterwards */
        } else {
            struct timespec rest = { .tv_nsec = (long)(next - now) };
            nanosleep(&rest, NULL);
        }
    }
}

/* ---- the report ----------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Sorts. Returns the p99. */
static uint64_t print_times(const char *what, uint64_t *ns, int count)
{
    qsort(ns, (size_t)count, sizeof ns[0], compare);
    uint64_t p50 = ns[count / 2], p99 = ns[(count - 1) * 99 / 100], max = ns[count - 1];
    printf("%s: p50 %.2f ms, p99 %.2f ms, max %.2f ms", what, (double)p50 / 1e6, (double)p99 / 1e6,
           (double)max / 1e6);
    return p99;
}

/* Returns the exit status. */
static int report(struct game *game)
{
    int read = 0, decoded = 0, here = 0, inside = 0;
    for (int i = 0; i < ASSETS; i++) {
        read += game->assets[i].is_read;
        decoded += game->assets[i].is_decoded;
        here += game->assets[i].is_here;
    }
    for (int i = 0; i < BODIES; i++) {
        const struct body *b = &game->bodies[i];
        inside += b->x >= 0 && b->x <= 1 && b->y >= 0 && b->y <= 1;
    }
    printf("frames: %d of %.2f ms, %d late\n", game->frames, (double)FRAME_NS / 1e6, game->late);
    printf("assets: %d read, %d decoded, %d uploaded on the game's thread\n", read, decoded, here);
    printf("creatures: %d of %d done after %d moves\n", game->finished, game->creatures, game->moves);
    printf("bodies: %d inside the world\n", inside);
    if (game->frames == 0)
        return 2;
    (void)print_times("work in a frame", game->work_ns, game->frames);
    uint64_t p99 = print_times("\na poll", game->poll_ns, game->frames);
    printf("; budget %.2f ms, used up %d times", (double)BUDGET_NS / 1e6, game->used_up);
    (void)print_times("\nits CPU time", game->poll_cpu_ns, game->frames); /* what others took is not in it */
    putchar('\n');
    return game->is_strict && p99 > BUDGET_NS + SLACK_NS ? 1 : 0;
}

/* ---- begin and end -------------------------------------------------------------------------- */

static void open_window(struct game *game)
{
    must(SDL_Init(SDL_INIT_VIDEO) == 0, "SDL", SDL_GetError());
    game->window = SDL_CreateWindow("tutti", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, WIDTH,
                                    HEIGHT, 0);
    must(game->window != NULL, "window", SDL_GetError());
    game->renderer = SDL_CreateRenderer(game->window, -1, SDL_RENDERER_SOFTWARE);
    must(game->renderer != NULL, "renderer", SDL_GetError());
}

static void open_game(struct game *game)
{
    tutti_config config = { .struct_size = sizeof config, .loop = TUTTI_LOOP_CALLER,
                            .workers = TUTTI_FRAME_WORKERS };
    open_window(game);
    game->thread = pthread_self();
    must_ok(tutti_engine_new(&game->engine, &config), "engine");
    for (int i = 0; i < BODIES; i++) {
        float a = (float)(i % 1000) / 1000, b = (float)(i / 1000) / 20;
        game->bodies[i] = (struct body){ .x = a, .y = b, .vx = b - a, .vy = a - 0.5f };
    }
    for (int i = 0; i < ASSETS; i++) {
        game->assets[i].game = game;
        game->assets[i].number = i;
        load_asset(game, &game->assets[i]);
    }
    start_creatures(game);
}

static void close_game(struct game *game)
{
    lua_close(game->L); /* cancels what still runs in it */
    for (int i = 0; i < ASSETS; i++)
        tutti_task_unref(game->assets[i].task);
    must_ok(tutti_engine_free(game->engine), "free");
    for (int i = 0; i < ASSETS; i++)
        if (game->assets[i].texture != NULL)
            SDL_DestroyTexture(game->assets[i].texture);
    SDL_DestroyRenderer(game->renderer);
    SDL_DestroyWindow(game->window);
    SDL_Quit();
}

/* The number behind an option. */
static int read_number(const char *option, const char *text, int max)
{
    char *end = NULL;
    long number = text == NULL ? 0 : strtol(text, &end, 10);
    must(number > 0 && number <= max && *end == '\0', option, "wants a number in range");
    return (int)number;
}

static void read_options(struct game *game, char **words)
{
    game->frames_min = 300;
    game->creatures = 200;
    for (; *words != NULL; words++) {
        if (strcmp(*words, "--strict") == 0) {
            game->is_strict = true;
        } else if (strcmp(*words, "--frames") == 0) {
            game->frames_min = read_number(words[0], words[1], FRAMES_MAX - EXTRA_FRAMES);
            words++;
        } else if (strcmp(*words, "--creatures") == 0) {
            game->creatures = read_number(words[0], words[1], BODIES);
            words++;
        } else {
            must(false, *words, "usage: game [--frames N] [--creatures N] [--strict]");
        }
    }
}

int main(int argc, char **argv)
{
    struct game *game = &the_game;
    read_options(game, argv + (argc > 0));
    open_game(game);
    run_frames(game);
    int status = report(game);
    close_game(game);
    return status;
}
