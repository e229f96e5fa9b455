-- SPDX-License-Identifier: MIT
--- What tutti itself says to people, on stderr: require("tutti.say")("tutti: ...\n").
---
--- One write for each call, so that lines of several threads never tear, and one door, so that the program
--- can give them another form (--progress=json makes an event of each).
---
--- Layer: lua. Thread: any state's home.
--- Invariant: nothing else in the Lua half writes to stderr.
---@module "tutti.say"
local session = require("tutti.session")

--- Say whole lines.
---@param text string  # with the newline at its end
return function(text)
  if session.say then
    session.say(text)
  else
    io.stderr:write(text)
  end
end
