-- SPDX-License-Identifier: MIT
-- What `./tutti test`, `./tutti test tsan` and `./tutti test long` run: which groups of which build, and
-- under which conditions. Two cores hide much: so fewer CPUs, more threads, another compiler as well.
-- The first is for every change and is to stay under five minutes; what hunts for races is in the second.
-- Invariant: every unit and every stress program is in each kind at least once.

local shell = require("tests.support.shell")

local kinds = {}

--- Words that keep a program on the first CPU it may use.
local function one_cpu()
  local cpus = shell.line("taskset -cp $$"):match(": (%d+)")
  return { "taskset", "-c", cpus }
end

--- Each part of a stress program has `ms`, with so many workers; nil: as it wishes.
local function stress(preset, how, ms, workers)
  return {
    preset = preset,
    groups = { stress = true },
    label = how,
    env = { "TUTTI_STRESS_MS=" .. ms, workers and "TUTTI_WORKERS=" .. workers },
    wrap = how == "one-cpu" and one_cpu() or nil,
  }
end

local PROGRAMS = { unit = true, stress = true }

local LONG_MS = 20000

--- The runs of a kind, in order: { preset, groups (nil: all), label, env, wrap, limit (times the usual) }.
function kinds.runs(kind)
  if kind == "tsan" then
    return {
      stress("release", "one-cpu", 100),
      stress("release", "one-worker", 100, 1),
      { preset = "hard", groups = PROGRAMS, env = { "TUTTI_STRESS_MS=200" } },
      -- TSan holds signals back until the next call that it intercepts, which a loop never makes: so Lua is
      -- interrupted by a permanent hook there, and interrupt_spec leaves out what only signals can do.
      { preset = "tsan", groups = { unit = true, spec = true, scripts = true },
        env = { "TUTTI_PREEMPT=hook" } },
      stress("tsan", "4-workers", 200, 4),
      stress("tsan", "16-workers", 200, 16),
      { preset = "tsan-clang", groups = { unit = true } },
      stress("tsan-clang", "4-workers", 200, 4),
    }
  elseif kind == "long" then
    local runs = {
      stress("release", nil, LONG_MS),
      stress("release", "one-cpu", LONG_MS),
      stress("hard", nil, LONG_MS),
      stress("hard", "16-workers", LONG_MS, 16),
      stress("tsan", "4-workers", LONG_MS, 4),
      stress("tsan", "16-workers", LONG_MS, 16),
      stress("tsan-clang", "4-workers", LONG_MS, 4),
      stress("tsan-clang", "16-workers", LONG_MS, 16),
      { preset = "hard", groups = { unit = true } },
      { preset = "tsan-clang", groups = { unit = true } },
    }
    for _, run in ipairs(runs) do
      run.limit = 20
    end
    return runs
  end
  return { { preset = "release" }, { preset = "dev" } }
end

--- Whether `word` names a kind rather than a filter.
function kinds.is_kind(word)
  return word == "tsan" or word == "long"
end

return kinds
