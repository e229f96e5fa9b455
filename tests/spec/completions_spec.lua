-- SPDX-License-Identifier: MIT
-- Completions in the shells themselves: bash, zsh (in a terminal) and fish.
-- threads: one
local describe, it, setup, teardown, assert = describe, it, setup, teardown, assert
local program = require("tests.spec.support.program")
local _ENV = _G -- luacheck: ignore

local SCRIPT = [[
  local g = require("tutti").graph("deploy")
  io.open("was_run", "w"):close()
  g:task("assets", { description = "fetch" }, print)
  g:task ('build all', print)  g:task("db:setup", print)
  return g
]]

-- LINE -> what must be offered, in order of names; a name that begins with - may be among others.
local WANTED = {
  ["tutti "] = { "completions", "man", "plan", "repl", "run", "version" },
  ["tutti r"] = { "repl", "run" },
  ["tutti repl --n"] = { "--no-readline" },
  ["tutti repl de"] = { "deploy.lua" },
  ["tutti repl deploy.lua ot"] = { "other.txt" },
  ["tutti run --p"] = { "--progress" },
  ["tutti run --progress p"] = { "plain" },
  ["tutti run de"] = { "deploy.lua" },
  ["tutti run --color never -j 3 de"] = { "deploy.lua" },
  ["tutti run deploy.lua a"] = { "assets" },
  ["tutti plan deploy.lua assets a"] = { "assets" },
  ["tutti plan deploy.lua --me"] = { "--mermaid" },
  ["tutti run deploy.lua --li"] = { "--list" },
  ["tutti run deploy.lua --me"] = {},
  ["tutti run no_such.lua a"] = {},
  ["tutti completions "] = { "bash", "fish", "zsh" },
}

describe("completions", function()
  local folder

  setup(function()
    folder = program.folder({ ["deploy.lua"] = SCRIPT, ["other.txt"] = "" })
  end)
  teardown(function()
    program.remove(folder)
  end)

  -- What the shell offers on each of these lines: line -> sorted list.
  local function offered(shell, lines)
    local helper = os.getenv("TUTTI_ROOT") .. "/tests/spec/support/complete." .. shell
    local flags = shell == "zsh" and "zsh -f" or shell == "fish" and "fish --no-config" or "bash --norc"
    local quoted = {}
    for i, line in ipairs(lines) do
      quoted[i] = "'" .. line .. "'"
    end
    local _, out, err = program.shell(("cd %s && HOME=%s && export HOME && %s completions %s >made.%s && "
      .. "timeout 60 %s %s ./made.%s %s"):format(folder, folder, program.path, shell, shell, flags, helper,
      shell, table.concat(quoted, " ")))
    assert.equal("", err)
    local all, at = {}, nil
    for line in out:gmatch("[^\n]+") do
      local asked = line:match("^%[(.*)%]$")
      if asked then
        at, all[asked] = asked, {}
      else
        table.insert(all[at], line)
      end
    end
    for _, found in pairs(all) do
      table.sort(found)
    end
    return all
  end

  for _, shell in ipairs({ "bash", "zsh", "fish" }) do
    it("are offered by " .. shell, function()
      local lines = {}
      for line in pairs(WANTED) do
        lines[#lines + 1] = line
      end
      local got = offered(shell, lines)
      for _, line in ipairs(lines) do
        if line ~= "tutti run no_such.lua a" or shell ~= "fish" then
          assert.same({ line, WANTED[line] }, { line, got[line] })
        end
      end
    end)

    it("do not run the script in " .. shell, function()
      offered(shell, { "tutti run deploy.lua " })
      assert.is_nil(io.open(folder .. "/was_run"))
    end)
  end

  it("name every task, however it is spelled", function()
    local got = offered("fish", { "tutti run deploy.lua " })["tutti run deploy.lua "]
    assert.same({ "assets", "build all", "db:setup" }, got)
    assert.same({ "assets", "build\\ all", "db:setup" },
      offered("bash", { "tutti run deploy.lua " })["tutti run deploy.lua "])
  end)

  it("go on behind + and !, and behind a colon", function()
    local wanted = {
      ["tutti run deploy.lua +as"] = { "+assets" },
      ["tutti run deploy.lua !b"] = { "\\!build\\ all" },
      ["tutti run deploy.lua db:s"] = { "setup" },
    }
    local lines = {}
    for line in pairs(wanted) do
      lines[#lines + 1] = line
    end
    local got = offered("bash", lines)
    assert.same(wanted, got)
    got = offered("fish", { "tutti run deploy.lua +as" })
    assert.same({ "+assets" }, got["tutti run deploy.lua +as"])
  end)
end)
