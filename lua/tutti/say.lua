-- SPDX-License-Identifier: MIT
--- What tutti itself says to people, on stderr: require("tutti.say")("tutti: ...\n").
---
--- One write for each call, so that lines of several threads never tear, and one door, so that the program
--- can give them another form (--progress=json makes an event of each), and so that nothing that a terminal
--- would act on comes out of it.
---
--- Layer: lua. Thread: any state's home.
--- Invariant: nothing else in the Lua half writes to stderr.
---@module "tutti.say"
local session = require("tutti.session")

--- Say whole lines.
---@param text string  # with the newline at its end
---@param is_shown boolean?  # it has been made fit to be shown, and may have colours
return function(text, is_shown)
  if session.say then
    session.say(text)
    return
  end
  if not is_shown and text:find("[%z\1-\8\11-\31\127-\255]") then
    text = require("tutti.escape").message(text)
  end
  io.stderr:write(text)
end
