-- SPDX-License-Identifier: MIT
-- What a person sees of what goes on: reports above the line, :tasks, :graph, errors.
--
-- Screens are compared with tests/spec/expected/*.txt; TUTTI_WRITE_EXPECTED=1 writes those.
local prompt = require("tests.spec.support.prompt")

describe("on the screen of the prompt", function()
  it("a background task that fails is told above the line that is typed", function()
    local s <close> = prompt.start({ cols = 60, rows = 12 })
    prompt.enter(s, 'tutti.spawn({ name = "fetch" }, function() while not go do tutti.sleep(0.01) end '
      .. 'error("no such luck", 0) end) and nil', "tutti.sleep(0.05) go = true")
    s:type("half a li")
    s:wait_for("no such luck.*half a li\n$")
    prompt.expect("repl_failed_above", s:text())
    s:keys("C-u")
    prompt.enter(s, "1 + 1")
    assert.equal("2\n", prompt.output(s))
  end)

  for _, cols in ipairs({ 80, 60 }) do
    it((":tasks fits %d columns, and has nothing of the prompt's own"):format(cols), function()
      local s <close> = prompt.start({ cols = cols, rows = 24 })
      prompt.enter(s, 'build = tutti.spawn({ name = "build" }, tutti.sleep, "9h")',
        'web = tutti.exec{ "sleep", "1000" }', "build:await() &", ":tasks")
      local shown = prompt.output(s):gsub("%d+%.%d s +", "AGE  "):gsub("([]─] )%d+ ", "%1N ")
      prompt.expect("repl_tasks_" .. cols, shown)
    end)
  end

  it(":graph draws what needs what", function()
    local s <close> = prompt.start({ cols = 60, rows = 24 })
    prompt.enter(s, 'g = tutti.graph("site"):task("html", print):task("css", print)',
      'g:task("pack", { needs = { "html", "css" } }, print):task("push", { needs = { "pack" } }, print)',
      ":graph g")
    prompt.expect("repl_graph", prompt.output(s))
  end)
end)
