-- SPDX-License-Identifier: MIT
-- tutti.fs: outside any task (where a call runs the loop), in tasks, in pool tasks.
local tutti = require("tutti")
local fs = tutti.fs
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local before_each, after_each = before_each, after_each
local _ENV = _G -- luacheck: ignore

local dir

local function path(name)
  return dir .. "/" .. name
end

local function count_fds()
  return #fs.list("/proc/self/fd")
end

local function in_task(f, ...)
  return tutti.spawn(f, ...):await()
end

-- What `f` raised, which must be an error object.
local function raised(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("tutti.error", getmetatable(err))
  return err
end

local function make_fifo(name)
  tutti.exec({ "mkfifo", path(name) }):await()
  return path(name)
end

-- Run the loop until `f()` is true: there is always a next event to wait for in these tests.
local function run_until(f)
  while not f() do
    tutti.sleep(0.001)
  end
end

before_each(function()
  dir = os.tmpname()
  os.remove(dir)
  fs.mkdir(dir)
end)

after_each(function()
  fs.remove(dir, { recursive = true })
end)

describe("reading and writing", function()
  it("gives back the very bytes, outside tasks, in tasks and on the pool", function()
    local bytes = "a\0b\r\n\255" .. ("x"):rep(100000)
    fs.write(path("one"), bytes)
    assert.equal(bytes, fs.read(path("one")))
    assert.equal(bytes, in_task(fs.read, path("one")))
    local back = tutti.parallel(function(from, to)
      local pool = require("tutti").fs
      local all = pool.read(from)
      pool.write(to, all)
      pool.append(to, "!")
      return #pool.read(to), pool.stat(to).size
    end, path("one"), path("two"))
    local length, size = back:await()
    assert.equal(#bytes + 1, length)
    assert.equal(#bytes + 1, size)
    assert.equal(bytes .. "!", fs.read(path("two")))
  end)

  it("reads empty files, and files in /proc, whose size is not known", function()
    fs.write(path("empty"), "")
    assert.equal("", fs.read(path("empty")))
    assert.matches("^Name:", fs.read("/proc/self/status"))
    assert.equal("", fs.read("/dev/null"))
  end)

  it("reads a file of many pieces", function()
    local bytes = ("0123456789abcdef"):rep(600000) -- 9.6 MB
    fs.write(path("big"), bytes)
    assert.is_true(fs.read(path("big")) == bytes)
  end)

  it("reads many files at once", function()
    local tasks = {}
    for i = 1, 300 do
      fs.write(path("f" .. i), tostring(i))
      tasks[i] = tutti.spawn(fs.read, path("f" .. i))
    end
    for i, bytes in ipairs(tutti.all(tasks):await()) do
      assert.equal(tostring(i), bytes)
    end
  end)

  it("appends, and makes the file", function()
    fs.append(path("log"), "one\n")
    fs.append(path("log"), "two\n")
    assert.equal("one\ntwo\n", fs.read(path("log")))
  end)

  it("writes numbers as their text", function()
    fs.write(path("n"), 42)
    assert.equal("42", fs.read(path("n")))
  end)
end)

describe("write takes the old file's place", function()
  it("leaves readers the old bytes, and nothing else in the folder", function()
    fs.write(path("file"), "old")
    local reader = assert(io.open(path("file")))
    local ino = fs.stat(path("file")).ino
    fs.write(path("file"), "new")
    assert.equal("old", reader:read("a"))
    reader:close()
    assert.equal("new", fs.read(path("file")))
    assert.not_equal(ino, fs.stat(path("file")).ino)
    assert.same({ "file" }, fs.list(dir))
  end)

  it("keeps the mode of an existing file; a new one has what the umask leaves", function()
    fs.write(path("file"), "x")
    local plain = tonumber(tutti.sh("umask"):await().stdout, 8)
    assert.equal(tonumber("666", 8) & ~plain, fs.stat(path("file")).mode)
    tutti.exec({ "chmod", "4751", path("file") }):await()
    fs.write(path("file"), "y")
    assert.equal(tonumber("4751", 8), fs.stat(path("file")).mode)
  end)

  it("goes through links, also through one that points to nothing yet", function()
    fs.mkdir(path("deep"))
    tutti.sh({ 'cd "$1" && ln -s deep/real link && ln -s link second', dir }):await()
    fs.write(path("second"), "one")
    assert.equal("link", fs.lstat(path("second")).type)
    assert.equal("one", fs.read(path("deep/real")))
    fs.write(path("second"), "two")
    assert.equal("two", fs.read(path("deep/real")))
    assert.equal("link", fs.lstat(path("link")).type)
    tutti.sh({ 'cd "$1" && ln -s round round', dir }):await()
    assert.equal("ELOOP", raised(fs.write, path("round"), "x").code)
  end)

  it("writes devices and FIFOs in place", function()
    fs.write("/dev/null", "gone")
    assert.equal("char", fs.stat("/dev/null").type)
    local fifo = make_fifo("fifo")
    local reader = tutti.exec({ "cat", fifo })
    local big = ("x"):rep(1 << 20)
    local ok, err
    repeat -- until cat has opened it
      ok, err = pcall(fs.write, fifo, big)
      if not ok then
        assert.equal("ENXIO", err.code)
        tutti.sleep(0.002)
      end
    until ok
    assert.equal(1 << 20, #reader:await().stdout)
    assert.equal("fifo", fs.lstat(fifo).type)
  end)

  it("fails without a trace", function()
    fs.mkdir(path("folder"))
    assert.equal("EISDIR", raised(fs.write, path("folder"), "x").code)
    assert.equal("ENOENT", raised(fs.write, path("nowhere/file"), "x").code)
    assert.equal("ENOTDIR", raised(fs.write, "/dev/null/file", "x").code)
    assert.equal("ENOSPC", raised(fs.append, "/dev/full", "x").code)
    assert.same({ "folder" }, fs.list(dir))
  end)
end)

describe("lines", function()
  it("gives each line without its newline, the last one too", function()
    local function lines_of(bytes)
      fs.write(path("file"), bytes)
      local list = {}
      for line in fs.lines(path("file")) do
        list[#list + 1] = line
      end
      return list
    end
    assert.same({}, lines_of(""))
    assert.same({ "" }, lines_of("\n"))
    assert.same({ "a", "", "b" }, lines_of("a\n\nb"))
    assert.same({ "a", "b\r" }, lines_of("a\nb\r\n"))
    local long = ("y"):rep(200000) -- longer than a piece
    assert.same({ long, "z", long }, lines_of(long .. "\nz\n" .. long))
  end)

  it("closes the file at the end and when the loop is left", function()
    fs.write(path("file"), ("line\n"):rep(1000))
    local before = count_fds()
    for _ = 1, 50 do
      for line in fs.lines(path("file")) do
        if line == "line" then
          break
        end
      end
    end
    local count = 0
    for _ in fs.lines(path("file")) do
      count = count + 1
    end
    assert.equal(1000, count)
    assert.equal(before, count_fds())
  end)

  it("works in tasks and on the pool, and raises at the call", function()
    fs.write(path("file"), "a\nb\n")
    local function join(name)
      local all = ""
      for line in require("tutti").fs.lines(name) do
        all = all .. line .. ";"
      end
      return all
    end
    assert.equal("a;b;", in_task(join, path("file")))
    assert.equal("a;b;", tutti.parallel(join, path("file")):await())
    assert.equal("ENOENT", raised(fs.lines, path("none")).code)
    assert.equal("EISDIR", raised(fs.lines, dir).code)
  end)
end)

describe("folders", function()
  it("lists names sorted, or with their types", function()
    fs.write(path("b"), "")
    fs.write(path("B"), "")
    fs.write(path(".hidden"), "")
    fs.mkdir(path("a"))
    make_fifo("p")
    tutti.exec({ "ln", "-s", "a", path("l") }):await()
    assert.same({ ".hidden", "B", "a", "b", "l", "p" }, fs.list(dir))
    local types = {}
    for _, entry in ipairs(fs.list(dir, { types = true })) do
      types[entry.name] = entry.type
    end
    assert.same({ [".hidden"] = "file", B = "file", a = "directory", b = "file", l = "link", p = "fifo" },
      types)
    assert.same({}, fs.list(path("a")))
    assert.equal("ENOENT", raised(fs.list, path("none")).code)
    assert.equal("ENOTDIR", raised(fs.list, path("b")).code)
    assert.equal("ENOTDIR", raised(fs.list, path("p")).code)
  end)

  it("makes one, or all above it as well", function()
    assert.equal("ENOENT", raised(fs.mkdir, path("x/y/z")).code)
    fs.mkdir(path("x//y/z/"), { parents = true })
    assert.equal("directory", fs.stat(path("x/y/z")).type)
    fs.mkdir(path("x/y/z"), { parents = true })
    assert.equal("EEXIST", raised(fs.mkdir, path("x")).code)
    fs.write(path("file"), "")
    assert.equal("ENOTDIR", raised(fs.mkdir, path("file/x"), { parents = true }).code)
    assert.equal("EEXIST", raised(fs.mkdir, path("file"), { parents = true }).code)
  end)

  it("removes a tree, but never what a link points to", function()
    fs.mkdir(path("tree/a/b/c"), { parents = true })
    fs.mkdir(path("kept"))
    fs.write(path("kept/file"), "kept")
    for i = 1, 50 do
      fs.write(path("tree/a/f" .. i), "")
      fs.write(path("tree/a/b/g" .. i), "")
    end
    tutti.sh({ 'cd "$1/tree" && ln -s ../kept link && mkfifo fifo && mkdir a/b/c/d && ln -s .. a/b/c/d/up',
      dir }):await()
    assert.equal("ENOTEMPTY", raised(fs.remove, path("tree")).code)
    fs.remove(path("tree"), { recursive = true })
    assert.same({ "kept" }, fs.list(dir))
    assert.equal("kept", fs.read(path("kept/file")))
    tutti.exec({ "ln", "-s", "kept", path("link") }):await()
    fs.remove(path("link"), { recursive = true })
    assert.equal("kept", fs.read(path("kept/file")))
    assert.equal("ENOENT", raised(fs.remove, path("link"), { recursive = true }).code)
  end)

  it("removes a tree that is deeper than there are descriptors", function()
    fs.mkdir(path(("d/"):rep(1500)), { parents = true })
    local chunk = ('require("tutti").fs.remove(%q, { recursive = true })'):format(path("d"))
    tutti.sh({ 'ulimit -n 64 && exec "$1" -e "$2"', os.getenv("TUTTI_LUA"), chunk }):await()
    assert.same({}, fs.list(dir))
  end)

  it("walks a tree, folders first, and does not follow links", function()
    fs.mkdir(path("a/b"), { parents = true })
    fs.write(path("a/b/file"), "")
    fs.write(path("a/z"), "")
    tutti.exec({ "ln", "-s", "..", path("a/up") }):await()
    local seen = {}
    for name, type in fs.walk(dir) do
      seen[#seen + 1] = name:sub(#dir + 2) .. " " .. type
    end
    assert.same({ "a directory", "a/b directory", "a/b/file file", "a/up link", "a/z file" }, seen)
    assert.equal("ENOENT", raised(function()
      for _ in fs.walk(path("none")) do
        error("there is nothing to walk")
      end
    end).code)
    local told
    for _ in fs.walk(path("none"), { on_error = function(err) told = err.code end }) do
      error("there is nothing to walk")
    end
    assert.equal("ENOENT", told)
  end)
end)

describe("glob", function()
  local function glob(pattern)
    local found = fs.glob(path(pattern))
    for i, name in ipairs(found) do
      found[i] = name:sub(#dir + 2)
    end
    return found
  end

  before_each(function()
    fs.mkdir(path("src/deep/er"), { parents = true })
    for _, name in ipairs({ "a.c", "b.c", "b.h", ".c", "src/x.c", "src/deep/y.c", "src/deep/er/z.c",
      "src/[1]" }) do
      fs.write(path(name), "")
    end
    tutti.exec({ "ln", "-s", "src", path("link") }):await()
  end)

  it("matches within a name", function()
    assert.same({ "a.c", "b.c" }, glob("*.c"))
    assert.same({ "b.c", "b.h" }, glob("b.?"))
    assert.same({ "a.c", "b.c" }, glob("[ab].c"))
    assert.same({ "b.c" }, glob("[!a].c"))
    assert.same({ ".c" }, glob(".*"))
    assert.same({ "src/[1]" }, glob("src/\\[1\\]"))
    assert.same({}, glob("*.lua"))
    assert.same({}, glob("none/*.c"))
    assert.same({}, glob("a.c/*"))
  end)

  it("takes parts without a pattern as they are, and looks through links", function()
    assert.same({ "a.c" }, glob("a.c"))
    assert.same({}, glob("none"))
    assert.same({ "link/x.c", "src/x.c" }, glob("*/x.c"))
    assert.same({ "src/deep" }, glob("s*/deep"))
  end)

  it("matches any number of folders with **, not through links", function()
    assert.same({ "a.c", "b.c", "src/deep/er/z.c", "src/deep/y.c", "src/x.c" }, glob("**/*.c"))
    assert.same({ "src/deep/er/z.c", "src/deep/y.c", "src/x.c" }, glob("src/**/*.c"))
    assert.same({ "src/[1]", "src/deep", "src/deep/er", "src/deep/er/z.c", "src/deep/y.c", "src/x.c" },
      glob("src/**"))
    assert.same({ "src/deep/er/z.c" }, glob("**/**/er/*"))
  end)

  it("works relative to the current folder", function()
    local found = in_task(fs.glob, "tests/spec/fs_*.lua")
    assert.same({ "tests/spec/fs_spec.lua" }, found)
    assert.same({ "/" }, fs.glob("/"))
  end)
end)

describe("stat and lstat", function()
  it("say what a file is", function()
    local before = os.time() - 2
    fs.write(path("file"), "12345")
    tutti.exec({ "chmod", "640", path("file") }):await()
    tutti.sh({ 'ln "$1" "$1.2" && ln -s file "$1.link"', path("file") }):await()
    local st = fs.stat(path("file.link"))
    assert.same({ "file", 5, tonumber("640", 8), 2 }, { st.type, st.size, st.mode, st.nlink })
    assert.is_true(st.mtime >= before and st.mtime <= os.time() + 2)
    assert.equal(fs.lstat(path("file")).ino, st.ino)
    assert.equal(tonumber(tutti.exec({ "id", "-u" }):await().stdout), st.uid)
    assert.equal("link", fs.lstat(path("file.link")).type)
    assert.equal("char", fs.stat("/dev/null").type)
    assert.equal("ENOENT", raised(fs.stat, path("none")).code)
  end)
end)

describe("errors", function()
  it("are of kind io and name the operation, the path and the reason", function()
    local err = raised(fs.read, "x/y")
    assert.equal("io", err.kind)
    assert.equal("ENOENT", err.code)
    assert.equal("x/y", err.path)
    assert.equal('fs.read "x/y": No such file or directory', err.message)
    local ok, in_the_task = tutti.spawn({ name = "reader" }, fs.read, "x/y"):pawait()
    assert.is_false(ok)
    assert.equal("reader", in_the_task.task)
    local _, on_the_pool = tutti.parallel(function() require("tutti").fs.read("x/y") end):pawait()
    assert.same({ "io", "ENOENT", "x/y" }, { on_the_pool.kind, on_the_pool.code, on_the_pool.path })
  end)

  it("of misuse are raised at the script's line", function()
    local function usage(pattern, f, ...)
      local err = raised(f, ...)
      assert.equal("usage", err.kind)
      assert.matches(pattern, err.message)
      return err.message
    end
    local here = "fs_spec.lua:%d+: "
    assert.matches(here, usage("fs.read: a path %(a string%) was expected, got nil", function()
      fs.read()
    end))
    assert.matches(here, usage("fs.list: a path %(a string%) was expected, got table", function()
      fs.list({})
    end))
    assert.matches(here, usage("byte 0", function() fs.read("a\0b") end))
    assert.matches(here, usage("fs.write: the bytes to write", function() fs.write("a") end))
    assert.matches(here, usage('unknown option "type" %(did you mean "types"%?%)', function()
      fs.list(".", { type = true })
    end))
    assert.matches(here, usage('option "recursive" must be a boolean, got string', function()
      fs.remove("none", { recursive = "yes" })
    end))
    assert.matches(here, usage("a table of options was expected", function() fs.mkdir("none", true) end))
    assert.matches(here, usage("fs.walk: a path", function() fs.walk() end))
    assert.matches(here, usage("fs.glob: a path", function() fs.glob() end))
    assert.matches(here, usage("fs.lines: a path", function() fs.lines() end))
    assert.matches(here, usage("cannot wait here", function()
      in_task(function()
        local list = { 2, 1 }
        table.sort(list, function() return fs.stat("/").size > 0 end)
      end)
    end))
  end)
end)

describe("waiting", function()
  it("does not hold up the state: a ticker keeps its pace while fs.read waits for a FIFO", function()
    local fifo = make_fifo("fifo")
    local ticks = 0
    local ticker = tutti.spawn(function()
      while true do
        tutti.sleep(0.001)
        ticks = ticks + 1
      end
    end)
    local reader = tutti.spawn(fs.read, fifo)
    run_until(function() return ticks >= 50 end)
    assert.equal("suspended", reader:state())
    local writer = tutti.sh({ 'printf one > "$1"; printf two >> "$1"', fifo })
    assert.matches("^one", reader:await())
    writer:cancel()
    writer:pawait()
    ticker:cancel()
    ticker:pawait()
  end)

  it("waits for a FIFO's first writer and reads to its end", function()
    local fifo = make_fifo("fifo")
    local reader = tutti.spawn(fs.read, fifo)
    local on_pool = tutti.parallel(function(name) return require("tutti").fs.read(name) end,
      make_fifo("other"))
    tutti.sh({ '{ printf a; sleep 0.02; printf b; head -c 200000 /dev/zero; } > "$1"', fifo }):await()
    assert.equal(200002, #reader:await())
    tutti.sh({ ': > "$1"', path("other") }):await()
    assert.equal("", on_pool:await())
  end)

  it("for many FIFOs leaves threads for the programs that write to them", function()
    local readers, writers = {}, {}
    local names = {}
    for i = 1, 100 do
      names[i] = path("fifo" .. i)
    end
    tutti.exec({ "mkfifo", table.unpack(names) }):await()
    for i, name in ipairs(names) do
      readers[i] = i % 2 == 0 and tutti.spawn(fs.read, name)
        or tutti.parallel(function(fifo) return require("tutti").fs.read(fifo) end, name)
    end
    tutti.checkpoint()
    for i, name in ipairs(names) do
      writers[i] = tutti.sh({ 'echo "$2" > "$1"', name, i })
    end
    for i, bytes in ipairs(tutti.all(readers):await()) do
      assert.equal(i .. "\n", bytes)
    end
    tutti.all(writers):await()
  end)

  it("gives the lines of a FIFO as they come", function()
    local fifo, gate = make_fifo("fifo"), make_fifo("gate")
    local got = tutti.channel(10)
    local reader = tutti.spawn(function()
      for line in fs.lines(fifo) do
        got:send(line)
      end
    end)
    local writer = tutti.sh({ 'exec > "$1"; echo one; read -r x < "$2"; echo two', fifo, gate })
    assert.equal("one", (got:recv()))
    local opener = tutti.sh({ 'echo go > "$1"', gate })
    assert.equal("two", (got:recv()))
    tutti.all({ reader, writer, opener }):await()
  end)

  it("ends at once when it is cancelled, and leaks nothing", function()
    local fifo = make_fifo("fifo")
    local before = count_fds()
    for _ = 1, 20 do
      local readers = {}
      for i = 1, 10 do
        readers[i] = tutti.spawn(fs.read, fifo)
      end
      tutti.checkpoint()
      for _, reader in ipairs(readers) do
        reader:cancel("enough")
        local ok, err = reader:pawait()
        assert.is_false(ok)
        assert.equal("cancelled", err.kind)
      end
    end
    run_until(function() return count_fds() == before end)
  end)

  it("leaves the old file when a write is cancelled, and no other one", function()
    fs.write(path("file"), "old")
    local writer = tutti.spawn(fs.write, path("file"), ("x"):rep(50000000))
    tutti.checkpoint()
    writer:cancel()
    writer:pawait()
    local done = tutti.spawn(fs.list, dir) -- behind it, on whichever thread
    done:await()
    run_until(function() return #fs.list(dir) == 1 end)
    local size = fs.stat(path("file")).size
    assert.is_true(size == 3 or size == 50000000)
  end)

  it("is a checkpoint", function()
    local reached = false
    local task
    task = tutti.spawn(function()
      task:cancel()
      fs.stat("/")
      reached = true
    end)
    task:pawait()
    assert.equal("cancelled", task:state())
    assert.is_false(reached)
  end)

  it("does not hold up the end of a program", function()
    local fifo = make_fifo("fifo")
    local script = ('local t = require "tutti" t.spawn(t.fs.read, %q) t.parallel(function(p) '
      .. 'require "tutti".fs.read(p) end, %q) t.sleep(0.05) os.exit(7, true)'):format(fifo, fifo)
    local r = tutti.exec({ os.getenv("TUTTI_LUA"), "-e", script, check = false, timeout = 30 }):await()
    assert.equal(7, r.code, r.stderr)
    local program = tutti.exec({ os.getenv("TUTTI_PROGRAM"), "-e", script, check = false, timeout = 30 })
      :await()
    assert.equal(7, program.code, program.stderr)
  end)
end)
