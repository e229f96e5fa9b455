-- SPDX-License-Identifier: MIT
--- What the program was asked for on its command line; the program fills it in before the script runs.
---
--- Layer: lua. Thread: the state's home.
--- Invariant: in a library, and in the states of pool threads, nothing has been asked for: these values stay.
---@module "tutti.session"

---@class tutti.session
---@field is_program boolean  # this state is the program's loop state
---@field command string?     # what to type before FILE to run it again: "tutti run"
---@field file string?        # FILE as it was typed; nil for `tutti -e`
---@field words string[]      # everything after FILE
---@field progress "tty"|"plain"|"json"|"none"
---@field color boolean       # may stderr have colours?
---@field color_out boolean   # may stdout?
---@field columns integer?    # how wide the terminal is that stdout is
---@field width (fun(): integer?)?   # how wide the terminal is now that stderr is
---@field quiet boolean       # -q
---@field verbose integer     # how many -v: 0 to 2
---@field jobs integer?       # --jobs: graph tasks in flight
---@field args string[]       # the values of --arg, "k=v", in order; before and after FILE
---@field early_args integer  # how many of those stand before FILE, where nothing but tutti.args can be meant
---@field plan "text"|"json"|"dot"|"mermaid"|nil   # set by `tutti plan`
---@field list boolean        # --list before FILE
---@field help boolean        # --help after FILE, for a script that asks for tutti.args or returns a graph
---@field selector string?    # what is selected of a graph that the script returned
---@field graph table?       # the graph that the script returned: words behind FILE select in it
---@field guard fun(graph, given)?   # called by g:run where nothing is to run (program.lua)
---@field view table?        # the live view's half in C, see engine/cli/view_lua.c
---@field say fun(text: string)?   # takes what tutti says, in place of stderr (tutti.say)
---@field late { jobs: integer?, list: boolean, plan: string?, words: string[], problem: string? }
---   # what the words after FILE say if the script returns a graph; `words`: its selectors

return {
  is_program = false,
  words = {},
  progress = "none",
  color = false,
  color_out = false,
  quiet = false,
  verbose = 0,
  args = {},
  early_args = 0,
  list = false,
  late = { list = false, words = {} },
  help = false,
}
