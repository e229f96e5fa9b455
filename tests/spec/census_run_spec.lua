-- SPDX-License-Identifier: MIT
-- scripts/census.lua as a user runs it: what it passes over, what it never opens, what it says.
local shell = require("tests.support.shell")

local quote, output = shell.quote, shell.capture
local program, root = os.getenv("TUTTI_PROGRAM"), os.getenv("TUTTI_ROOT") or "."

-- A folder that everybody may enter, with a program and scripts that user nobody can run.
local function stage()
  local dir = output("mktemp -d"):gsub("%s+$", "")
  assert(os.execute(("chmod 755 %s && mkdir %s/tree %s/scripts"):format(dir, dir, dir)))
  assert(os.execute(("cp %s %s/tutti"):format(quote(program), dir)))
  assert(os.execute(("cp -r %s/scripts/census* %s/scripts"):format(quote(root), dir)))
  return dir
end

-- root reads everything, so the census must run as somebody else.
local function as_nobody(command)
  if output("id -u") == "0\n" then
    return "setpriv --reuid=65534 --regid=65534 --clear-groups -- " .. command
  end
  return command
end

describe("census", function()
  it("names what it passes over, and never opens links, FIFOs and devices", function()
    local dir = stage()
    assert(os.execute(([[cd %s/tree && mkdir sub closed .git &&
      printf 'int x; /* c */\n\n' > sub/a.c &&
      printf -- '-- c\nlocal x = 1\n' > 'with space.lua' && printf 'x\0y' > binary.c &&
      printf 'int y;\n' | tee secret.c closed/b.c .git/c.c > /dev/null &&
      mkfifo pipe.c &&
      ln -s ../sub/a.c sub/link.c && ln -s . loop && chmod 000 secret.c closed]]):format(dir)))
    local command = ("cd %s && %s ./tutti run scripts/census.lua --json tree 2>err"):format(dir,
      as_nobody("timeout 60"))
    local out, code = output(command)
    local err = output(("cat %s/err"):format(dir))
    os.execute("rm -rf " .. dir)
    assert.equal(0, code)
    assert.matches('"C":{"files":1,"blank":1,"comment":0,"code":1}', out)
    assert.matches('"Lua":{"files":1,"blank":0,"comment":1,"code":1}', out)
    assert.matches("passed over tree/binary.c: binary", err)
    assert.matches("passed over tree/secret.c: Permission denied", err)
    assert.matches("passed over tree/closed: Permission denied", err)
    assert.is_nil(err:find("pipe", 1, true))
    assert.is_nil(err:find("link", 1, true))
  end)

  it("ends with 2 for a wrong option or a tree that is not there", function()
    local census = quote(program) .. " run " .. quote(root .. "/scripts/census.lua")
    for _, words in ipairs({ "--frob /tmp", "", "/no/such/tree" }) do
      local out, code = output(census .. " " .. words .. " 2>&1")
      assert.equal(2, code)
      assert.is_true(#out > 0)
      assert.is_nil(out:find("traceback", 1, true))
    end
  end)

  it("writes its table into a pipe that closes early", function()
    local census = quote(program) .. " run " .. quote(root .. "/scripts/census.lua")
    local out = output(census .. " " .. quote(root .. "/lua") .. " | head -1")
    assert.matches("^Language", out)
  end)
end)
