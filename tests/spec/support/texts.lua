-- SPDX-License-Identifier: MIT
--- Random and damaged texts for the specs of the grammars. TUTTI_SEED replays a run; every failure
--- names the seed.
---@module "tests.spec.support.texts"
local build = require("tests.spec.support.build")

local texts = {}

texts.seed = tonumber(os.getenv("TUTTI_SEED")) or os.time()
--- How many texts a fuzz reads.
texts.count = build.is_release and 30000 or 3000

local random = math.random

--- Begin a random sequence; returns what a failure should say.
function texts.start()
  math.randomseed(texts.seed)
  return "TUTTI_SEED=" .. texts.seed
end

function texts.pick(list)
  return list[random(#list)]
end

--- A name that needs quotes as often as not.
function texts.name()
  local letters = { "a", "b", "Z", "0", "_", "-", ".", ":", "/", " ", "'", '"', "\\", "(", ")", ",", "*",
    ">", "+", "!", "&", "é", "日", "\xff", "~", "[", "{", "?" }
  local parts = {}
  for i = 1, random(5) do
    parts[i] = random(2) == 1 and texts.pick({ "a", "b", "task", "x1" }) or texts.pick(letters)
  end
  return table.concat(parts)
end

--- Are two trees equal? Much faster than luassert's.
function texts.same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for key, value in pairs(a) do
    if not texts.same(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

-- Any bytes, but mostly words of the grammar.
local function noise(words)
  local parts = {}
  for i = 1, random(0, 12) do
    parts[i] = random(8) == 1 and string.char(random(0, 255)) or texts.pick(words)
  end
  return table.concat(parts)
end

local function damaged(text, words)
  for _ = 1, random(3) do
    local at = random(#text + 1)
    local cut = random(0, 2)
    local byte = random(3) == 1 and string.char(random(0, 255))
    local put = random(3) == 1 and "" or byte or texts.pick(words)
    text = text:sub(1, at - 1) .. put .. text:sub(at + cut)
  end
  return text
end

--- Check what a grammar says of a text: a value, or nil and an error at a place inside the text.
function texts.check(text, value, err)
  if value ~= nil then
    assert(err == nil, "a value and an error")
    return
  end
  local where = (" for %q"):format(text)
  assert(math.type(err.position) == "integer", "no position" .. where)
  assert(err.position >= 1 and err.position <= #text + 1, "position " .. err.position .. where)
  local place = "position " .. err.position
  assert(err.message:find(place, 1, true) == 1, err.message .. where)
  assert(err.message:find("\n  [^\n]*\n  +%^$"), err.message .. where)
  assert(not err.message:find("[%z\1-\9\11-\31\127]"), "control characters" .. where)
  assert(utf8.len(err.message), "no UTF-8" .. where)
end

--- Feed `parse` with noise made of `words` and with damaged `samples`;
--- `also` looks at some of the texts that it takes.
function texts.fuzz(parse, words, samples, also)
  local seed, taken = texts.start(), 0
  for i = 1, texts.count do
    local text = i % 2 == 0 and noise(words) or damaged(texts.pick(samples), words)
    local calm, value, err = pcall(parse, text)
    assert(calm, ("%s: %q raised %s"):format(seed, text, tostring(value)))
    local fine, problem = pcall(texts.check, text, value, err)
    assert(fine, ("%s: %s"):format(seed, tostring(problem)))
    if value ~= nil then
      taken = taken + 1
      if also and taken % 8 == 0 then
        also(text, value)
      end
    end
  end
  assert(taken > texts.count // 100, ("%s: only %d texts were taken"):format(seed, taken))
  assert(taken < texts.count, seed .. ": no text was refused")
end

return texts
