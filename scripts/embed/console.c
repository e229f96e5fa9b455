/* SPDX-License-Identifier: MIT */
/*
 * console.c - a prompt in a running game: clients at a Unix socket steer it while its frames go on.
 *
 * Off unless a path is given, as argument or in TUTTI_CONSOLE. The socket is its owner's alone (0600): who
 * connects can do what the program can. Each client has a prompt of its own, the byte 3 is Ctrl-C; who leaves
 * or does not read is cancelled. A line that never awaits holds the frame.
 *
 *   cc -O2 scripts/embed/console.c $(pkg-config --cflags --libs tutti-lua lua5.4) -o console
 *   ./console /tmp/game.sock & socat READLINE UNIX-CONNECT:/tmp/game.sock
 * expect: game: 30 frames
 */
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <lauxlib.h>
#include <lualib.h>
#include <tutti_lua.h>

enum { CLIENTS = 8, TEXT = 1 << 16, FRAME_MS = 16, BUDGET_NS = 2000000, FRAMES_ALONE = 30, CTRL_C = 3 };

static struct client {
    int fd; /* 0: nobody */
    bool is_busy, has_left;
    tutti_repl *repl;
    size_t size, fed; /* bytes in text, and how many of them have been fed */
    char text[TEXT];
} clients[CLIENTS];

static void must(bool good, const char *what)
{
    if (!good)
        err(2, "%s", what);
}

static void say(void *user, const char *text, size_t size, int kind)
{
    struct client *c = user;
    (void)kind;
    c->has_left |= send(c->fd, text, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size;
}

/* Feed the next line, behind those before it that make no chunk yet. */
static void feed_line(struct client *c)
{
    const char *end = c->is_busy ? NULL : memchr(c->text + c->fed, '\n', c->size - c->fed);
    if (end == NULL)
        return;
    c->is_busy = true;
    c->fed = (size_t)(end - c->text) + 1;
    must(tutti_repl_feed(c->repl, c->text, c->fed - 1) == TUTTI_OK, "feed");
}

static void on_done(void *user, int outcome)
{
    struct client *c = user;
    c->is_busy = false;
    if (outcome != TUTTI_REPL_INCOMPLETE) {
        memmove(c->text, c->text + c->fed, c->size -= c->fed);
        c->fed = 0;
    }
    say(c, c->fed == 0 ? "> " : ">> ", c->fed == 0 ? 2 : 3, 0);
    feed_line(c);
}

static void receive(struct client *c)
{
    char bytes[4096];
    ssize_t count = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    c->has_left |= count <= 0; /* it is asked only when there is something */
    for (ssize_t i = 0; i < count; i++) {
        if (bytes[i] == CTRL_C) { /* what was typed is dropped */
            c->size = c->fed = c->is_busy ? c->fed : 0;
            if (tutti_repl_interrupt(c->repl) == TUTTI_EAGAIN)
                say(c, "\n> ", 3, 0);
        } else if (c->size < TEXT) {
            c->text[c->size++] = bytes[i];
        }
        c->has_left |= c->size == TEXT; /* so much is no line */
        feed_line(c);
    }
}

/* A socket for its owner alone; one that a dead program has left is replaced. */
static int listen_at(const char *path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    struct stat old;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), length = snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    must(fd > 0 && length < (int)sizeof at.sun_path, "console: a socket");
    if (stat(path, &old) == 0 && S_ISSOCK(old.st_mode) && connect(fd, (void *)&at, sizeof at) != 0)
        unlink(path);
    umask(0177);
    must(bind(fd, (void *)&at, sizeof at) == 0 && listen(fd, CLIENTS) == 0, path);
    return fd;
}

/* Until the next frame. With all places taken, who comes waits. */
static void serve(lua_State *L, int listener)
{
    static struct client *place = clients;
    struct pollfd fds[CLIENTS + 1] = { { .fd = place != NULL ? listener : -1, .events = POLLIN } };
    for (int i = 0; i < CLIENTS; i++)
        fds[i + 1] = (struct pollfd){ .fd = clients[i].fd > 0 ? clients[i].fd : -1, .events = POLLIN };
    poll(fds, CLIENTS + 1, FRAME_MS);
    place = NULL;
    for (int i = 0; i < CLIENTS; i++) {
        if (fds[i + 1].revents != 0)
            receive(&clients[i]);
        if (clients[i].has_left) {
            tutti_repl_free(clients[i].repl); /* what it ran ends in the next frames */
            close(clients[i].fd);
            memset(&clients[i], 0, sizeof clients[i]);
        }
        place = clients[i].fd > 0 ? place : &clients[i];
    }
    if (fds[0].revents == 0 || (place->fd = accept(listener, NULL, NULL)) < 0)
        return;
    tutti_repl_config config = { .struct_size = sizeof config, .name = "console", .write = say,
                                 .done = on_done, .user = place, .flags = TUTTI_REPL_OWN_PRINT };
    must(tutti_repl_new(L, &config, &place->repl) == TUTTI_OK, "prompt");
    say(place, "> ", 2, 0);
}

int main(int argc, char **argv)
{
    tutti_config config = { .struct_size = sizeof config, .loop = TUTTI_LOOP_CALLER };
    tutti_engine *engine = NULL;
    lua_State *L = luaL_newstate();
    const char *path = argc > 1 ? argv[1] : getenv("TUTTI_CONSOLE");
    int listener = path != NULL ? listen_at(path) : -1;
    luaL_openlibs(L);
    must(tutti_engine_new(&engine, &config) == TUTTI_OK && tutti_lua_attach(L, engine) == TUTTI_OK, "engine");
    must(luaL_dostring(L, "tutti = require 'tutti'; tick = 0\n"
                          "tutti.every(0.01, function() tick = tick + 1 end)") == LUA_OK, "game");
    for (int i = 0; path != NULL || i < FRAMES_ALONE; i++) {
        serve(L, listener);
        tutti_poll(engine, BUDGET_NS);
    }
    printf("game: %d frames\n", FRAMES_ALONE);
    lua_close(L);
    return tutti_engine_free(engine) == TUTTI_OK ? 0 : 2;
}
