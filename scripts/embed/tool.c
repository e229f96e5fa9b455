/* SPDX-License-Identifier: MIT */
/*
 * tool.c - a command-line tool: Lua decides what is hashed, C hashes it on all cores.
 *
 * "hash" is a native function: each call of tutti.native("hash", path) in the script is a task of the pool.
 * The lua_State is the tool's own; it is closed before the engine is freed.
 *
 *   cc -O2 scripts/embed/tool.c $(pkg-config --cflags --libs tutti-lua lua5.4) -o tool
 *   ./tool scripts/embed/tool.lua engine/base .h
 *
 * It prints what cksum(1) prints, a line a file, in the order of the names:
 *   609523727 742 engine/base/value.h
 *
 * args: scripts/embed/tool.lua engine/base .h
 * same-as: find engine/base -name '*.h' | LC_ALL=C sort | xargs cksum
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>
#include <tutti_lua.h>

static uint32_t table[256]; /* filled before the first task */

static void fill_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i << 24;
        for (int bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ ((crc & 0x80000000u) != 0 ? 0x04c11db7u : 0);
        table[i] = crc;
    }
}

static uint32_t add_byte(uint32_t crc, uint64_t byte)
{
    return crc << 8 ^ table[(crc >> 24 ^ byte) & 0xff];
}

/* A task that fails gives its error as its result. */
static int fail(const char *path, tutti_value *result)
{
    char text[512];
    int length = snprintf(text, sizeof text, "%.400s: %s", path, strerror(errno));
    return tutti_value_bytes(result, text, (size_t)length) == TUTTI_OK ? TUTTI_EFAILED : TUTTI_ENOMEM;
}

/* hash(path): "CRC LENGTH", as cksum counts them. Runs on any thread of the pool. */
static int hash(tutti_task *self, void *user, const tutti_value *args, size_t argc, tutti_value *result)
{
    (void)user;
    char path[4096] = "", text[64];
    unsigned char buffer[65536];
    if (argc != 1 || args[0].kind != TUTTI_BYTES || args[0].more.length >= sizeof path)
        return TUTTI_EINVAL;
    memcpy(path, args[0].as.pointer, args[0].more.length); /* bytes do not end with a NUL */
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return fail(path, result);
    uint32_t crc = 0;
    uint64_t length = 0;
    for (size_t got; (got = fread(buffer, 1, sizeof buffer, file)) > 0; length += got) {
        for (size_t i = 0; i < got; i++)
            crc = add_byte(crc, buffer[i]);
        if (tutti_task_is_cancelled(self)) { /* after Ctrl-C in a host that cancels, for example */
            fclose(file);
            return TUTTI_ECANCELED;
        }
    }
    if (ferror(file)) {
        int rc = fail(path, result);
        fclose(file);
        return rc;
    }
    fclose(file);
    for (uint64_t left = length; left != 0; left >>= 8)
        crc = add_byte(crc, left & 0xff);
    int size = snprintf(text, sizeof text, "%" PRIu32 " %" PRIu64, ~crc, length);
    return tutti_value_bytes(result, text, (size_t)size);
}

/* Run argv[1] with the words behind it as a task named "main"; returns its exit status. */
static int run_script(lua_State *L, int argc, char **argv)
{
    int status = 1;
    luaL_checkstack(L, argc, NULL);
    if (luaL_loadfile(L, argv[1]) != LUA_OK) {
        fprintf(stderr, "tool: %s\n", lua_tostring(L, -1));
        return 2;
    }
    for (int i = 2; i < argc; i++)
        lua_pushstring(L, argv[i]);
    int rc = tutti_lua_run(L, "main", argc - 2, &status);
    if (rc != TUTTI_OK)
        fprintf(stderr, "tool: %s\n", tutti_status_text(rc));
    return status;
}

int main(int argc, char **argv)
{
    tutti_config config = { .struct_size = sizeof config, .loop = TUTTI_LOOP_CALLER };
    tutti_engine *engine = NULL;
    lua_State *L = luaL_newstate();
    int status = 2;
    if (argc < 2 || L == NULL || tutti_engine_new(&engine, &config) != TUTTI_OK) {
        fprintf(stderr, "usage: tool SCRIPT [words]\n");
        return status;
    }
    fill_table();
    luaL_openlibs(L);
    if (tutti_register(engine, "hash", hash, NULL) == TUTTI_OK && tutti_lua_attach(L, engine) == TUTTI_OK)
        status = run_script(L, argc, argv);
    lua_close(L);
    return tutti_engine_free(engine) == TUTTI_OK ? status : 2;
}
