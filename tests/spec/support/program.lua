-- SPDX-License-Identifier: MIT
--- The program and stock Lua as processes: what they print, and how they end as a shell sees it.
---
---     local code, out, err = program.run_script("print(1)", "word")
---
--- Layer: tests. Thread: any.
---@module "tests.spec.support.program"
local program = {}

program.path = os.getenv("TUTTI_PROGRAM")
program.lua = os.getenv("TUTTI_LUA") or "lua5.4"

--- A word as a shell reads it back.
function program.quote(word) return "'" .. tostring(word):gsub("'", "'\\''") .. "'" end

--- The bytes of a file; nil if there is none.
function program.read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read("a")
end

local function take(path)
  local text = assert(program.read(path), path)
  os.remove(path)
  return text
end

--- Run a line of shell; returns its status (signal + 128), stdout, stderr.
function program.shell(line)
  local out, err = os.tmpname(), os.tmpname()
  local _, how, code = os.execute(("{ %s\n} >%s 2>%s </dev/null"):format(line, out, err))
  return how == "signal" and code + 128 or code, take(out), take(err)
end

--- Run a list of words.
function program.run(...)
  local words = {}
  for i, word in ipairs({ ... }) do
    words[i] = program.quote(word)
  end
  return program.shell(table.concat(words, " "))
end

--- A file with this text; it is removed when the variable it is kept in is closed.
function program.file(source)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(source)
  file:close()
  return setmetatable({ path = path }, { __close = function() os.remove(path) end })
end

--- `tutti run` a script with these words.
function program.run_script(source, ...)
  local file <close> = program.file(source)
  return program.run(program.path, "run", file.path, ...)
end

--- A new folder with these files ({ ["a.lua"] = text }), for program.remove.
function program.folder(files)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir -m 700 " .. program.quote(folder)))
  for name, text in pairs(files) do
    local file = assert(io.open(folder .. "/" .. name, "wb"))
    file:write(text)
    file:close()
  end
  return folder
end

function program.remove(folder)
  os.execute("rm -rf " .. program.quote(folder))
end

local function environment(env)
  local words, settings = { "env" }, {}
  for name, value in pairs(env or {}) do
    if value then
      settings[#settings + 1] = name .. "=" .. value
    else
      table.move({ "-u", name }, 1, 2, #words + 1, words)
    end
  end
  return table.move(settings, 1, #settings, #words + 1, words)
end

--- Run script.lua of a new folder. `how`: command (default "run"), before (options), env (false unsets).
function program.script(source, how, ...)
  local folder = program.folder({ ["script.lua"] = source })
  local words = environment(how.env)
  table.move({ program.path, how.command or "run" }, 1, 2, #words + 1, words)
  table.move(how.before or {}, 1, #(how.before or {}), #words + 1, words)
  words[#words + 1] = folder .. "/script.lua"
  table.move({ ... }, 1, select("#", ...), #words + 1, words)
  local code, out, err = program.run(table.unpack(words))
  program.remove(folder)
  return code, out, err
end

--- A line of shell in which %s stands for `tutti run FILE`.
function program.shell_script(line, source)
  local file <close> = program.file(source)
  local command = program.quote(program.path) .. " run " .. file.path
  return program.shell((line:gsub("%%s", (command:gsub("%%", "%%%%")))))
end

return program
