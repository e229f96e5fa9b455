-- SPDX-License-Identifier: MIT
--- The lines of a file, a pipe or standard input, for tasks: who waits for the next one stops
--- nobody else.
---
--- Layer: lua. Thread: the state's home.
--- Invariant: nothing is read before somebody asks for a line, so that programs that inherit
--- standard input find what comes later, but for what was read with the last line.
---@module "tutti.repl.input"
local tutti = require("tutti")

local input = {}

local CHUNK_BYTES = 65536

-- ---- sources ---------------------------------------------------------------------------------

-- Each is a function that awaits and returns the next bytes, nil at the end; it raises kind "io".

local function of_file(uv, fd)
  return function()
    local bytes = tutti.await(uv.fs_read, fd, CHUNK_BYTES, -1)
    return bytes ~= "" and bytes or nil
  end
end

-- A descriptor of our own for the same pipe: to make it wait for nothing must not change the one
-- that others have. A socket cannot be opened again.
local function reopen(uv, fd)
  local flags = uv.constants.O_RDONLY + uv.constants.O_NONBLOCK -- libuv adds O_CLOEXEC
  return uv.fs_open(("/proc/self/fd/%d"):format(fd), flags, 0) or fd
end

local function of_pipe(uv, fd)
  local pipe = uv.new_pipe(false)
  assert(pipe:open(reopen(uv, fd)))
  local function read_once(callback)
    return pipe:read_start(function(err, bytes)
      pipe:read_stop()
      callback(err, bytes)
    end)
  end
  return function()
    return tutti.await(read_once)
  end
end

-- ---- lines ---------------------------------------------------------------------------------

-- Cuts what `source` gives into lines, each with its newline but perhaps the last.
local function cut(source)
  local rest, at, is_over = "", 1, false
  return function()
    while true do
      local stop = rest:find("\n", at, true)
      if stop then
        local line = rest:sub(at, stop)
        at = stop + 1
        return line
      elseif is_over then
        local line = rest:sub(at)
        rest, at = "", 1
        return line ~= "" and line or nil
      end
      local more = source()
      rest, at, is_over = rest:sub(at) .. (more or ""), 1, not more
    end
  end
end

-- What a loop can wait for; of all else (files, devices, folders) reading tells what comes.
local STREAMS = { pipe = of_pipe, tcp = of_pipe, tty = of_pipe }

--- The lines of `file`, or of standard input if it is nil: a function that awaits and returns the
--- next one, with its newline, and nil at the end. It raises kind "io".
---@async
---@param file string?
---@return fun(): string?
function input.lines(file)
  local uv = tutti.uv
  local fd = file and tutti.await(uv.fs_open, file, "r", 0) or 0
  local source = STREAMS[uv.guess_handle(fd)] or of_file
  return cut(source(uv, fd))
end

return input
