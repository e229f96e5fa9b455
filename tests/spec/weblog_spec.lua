-- SPDX-License-Identifier: MIT
-- scripts/weblog.lua: packed logs, the table of days, what is passed over; and what it reads a line as.
local describe, it, assert = describe, it, assert
local after_each, before_each = after_each, before_each
local shell = require("tests.support.shell")
package.path = "scripts/?.lua;" .. package.path
local access = require("weblog.access")
local _ENV = _G -- luacheck: ignore

local quote = shell.quote
local program = quote(os.getenv("TUTTI_PROGRAM"))

describe("weblog", function()
  local dir

  before_each(function()
    dir = shell.line("mktemp -d")
    assert(os.execute(("cp scripts/weblog/sample/*.log %s && gzip %s/two.log"):format(dir, dir)))
  end)

  after_each(function()
    os.execute("rm -rf " .. quote(dir))
  end)

  -- What it printed, its status, and what it said on stderr.
  local function run(args, words)
    local out, status = shell.capture(("%s run %s scripts/weblog.lua %s 2>%s/stderr"):format(program, args,
      words or "", dir))
    return out, status, shell.read(dir .. "/stderr")
  end

  it("reads packed files as others", function()
    local plain = run("--arg logs='scripts/weblog/sample/*.log'")
    local packed, status, err = run(("--arg logs='%s/*.log*'"):format(dir))
    assert.equal(0, status, err)
    assert.equal(plain, packed)
    assert.matches("^8 requests, 9.4 KiB, 2026%-11%-19 to 2026%-11%-21; 1 line in another format\n", plain)
  end)

  it("writes the table of days if it is asked for, packed or not, and needs no report for that", function()
    local DAYS = "day,requests,bytes,errors\n2026-11-19,1,100,0\n2026-11-20,4,5273,0\n2026-11-21,3,4249,1\n"
    for name, command in pairs({ ["days.csv"] = "cat", ["days.csv.gz"] = "gzip -dc" }) do
      local out, status, err = run(("--arg logs='%s/*.log*' --arg csv=%s/%s"):format(dir, dir, name), "csv")
      assert.same({ "", 0 }, { out, status }, err)
      assert.equal(DAYS, (shell.capture(("%s %s/%s"):format(command, dir, name))))
    end
  end)

  it("goes on without a list that would be empty", function()
    assert(os.execute(("sed -i /favicon/d %s/one.log"):format(dir)))
    local out, status = run(("--arg logs='%s/one.log'"):format(dir))
    assert.equal(0, status)
    assert.is_nil(out:find("not found", 1, true))
  end)

  it("fails with what gzip says, and says when nothing is there", function()
    assert(os.execute(("cp %s/one.log %s/broken.gz"):format(dir, dir)))
    local _, status, err = run(("--arg logs='%s/*.gz'"):format(dir))
    assert.equal(1, status)
    assert.matches("broken.gz: not in gzip format", err)
    _, status, err = run("--arg logs='/no/such*'")
    assert.same({ 2, "weblog: no file matches /no/such*\n" }, { status, err })
    _, status, err = run("")
    assert.equal(2, status)
    assert.matches("an argument is missing:\n  %-%-arg logs=", err)
    assert.equal(0, select(2, run("", "--help")))
  end)

  it("reads lines of both formats, and counts others apart", function()
    local counts = access.empty()
    access.count_line(counts, '::1 - "a b" [01/Jan/2027:00:00:00 +0000] "GET /x?y=\\"z HTTP/1.1" 304 -')
    access.count_line(counts, 'host - - [02/Jan/2027:00:00:00 +0000] "\\x16\\x03" 400 150 "-" "-"')
    access.count_line(counts, "")
    access.count_line(counts, "x [01/Foo/2027:00:00:00 +0000] \"GET / HTTP/1.1\" 200 1")
    assert.same({ requests = 2, bytes = 150, bad_lines = 1, pages = { ["/x"] = 1 }, missing = {},
      statuses = { ["304"] = 1, ["400"] = 1 }, hosts = { ["::1"] = 1, host = 1 },
      days = { ["2027-01-01"] = { requests = 1, bytes = 0, errors = 0 },
        ["2027-01-02"] = { requests = 1, bytes = 150, errors = 0 } } }, counts)
    local twice = access.merge({ counts, counts, access.empty() })
    assert.same({ 4, 300, 2 }, { twice.requests, twice.bytes, twice.bad_lines })
    assert.same({ requests = 2, bytes = 300, errors = 0 }, twice.days["2027-01-02"])
    assert.same({ { key = "b", count = 3 }, { key = "a", count = 2 } },
      access.top({ a = 2, b = 3, c = 2 }, 2))
  end)
end)
