-- SPDX-License-Identifier: MIT
--- Prompts for specs: what they write is kept.
---@module "tests.spec.support.prompts"
local tutti = require("tutti")

local prompts = {}

--- A prompt, and the list of what it has written: { kind, text }.
function prompts.new(given)
  local written = {}
  local options = { write = function(text, kind) written[#written + 1] = { kind, text } end }
  for key, value in pairs(given or {}) do
    options[key] = value
  end
  return require("tutti.repl").new(options), written
end

--- The texts of one kind, joined.
function prompts.texts(written, kind)
  local texts = {}
  for _, entry in ipairs(written) do
    texts[#texts + 1] = entry[1] == kind and entry[2] or nil
  end
  return table.concat(texts)
end

--- Feed lines one after another, each of which must end well; returns the outcome of the last.
function prompts.feed(prompt, ...)
  local outcome
  for _, text in ipairs({ ... }) do
    outcome = prompt:feed(text)
    if outcome.kind ~= "values" then
      error(("%s: %s %s"):format(text, outcome.kind, outcome.error), 2)
    end
  end
  return outcome
end

--- Wait until it is true; a spec that waits for what never comes ends all the same.
function prompts.wait(condition)
  local limit = tutti.now() + 30
  while not condition() do
    if tutti.now() > limit then
      error("what the spec waits for has not come within 30 s", 2)
    end
    tutti.sleep(0.001)
  end
end

return prompts
