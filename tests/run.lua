-- SPDX-License-Identifier: MIT
-- The test runner: finds tests, builds what they need, runs each in a process of its own with a
-- time limit, and counts.
-- Usage (through ./tutti test): lua5.4 tests/run.lua [tsan|long] [FILTER...]   from the project's root.
-- Invariant: what is counted as passed is a line that a finished test printed; nothing is assumed.

local kinds = require("tests.support.kinds")
local shell = require("tests.support.shell")
local tap = require("tests.support.tap")

-- Seconds. For what hangs, not for what is slow: a busy machine takes five times as long as a quiet one.
local TIMEOUT = { unit = 240, stress = 240, relacy = 300, spec = 240, scripts = 240,
  census = 600, check = 600, package = 900 }
-- Half of what specs do is to wait: three tests side by side keep two CPUs at work. Stress programs want all.
local WIDTH = tonumber(os.getenv("TUTTI_TEST_JOBS")) or 3
local ALONE = { stress = true }
local FIRST, RANK = { "census", "package", "check", "relacy", "spec" }, {} -- the longest
for rank, group in ipairs(FIRST) do
  RANK[group] = rank
end
-- The line of a test in which only one thread does anything: ThreadSanitizer could see nothing in it.
local ONE_THREAD = "^[-*/ ]+threads: one$"
local BUILDS = os.getenv("TUTTI_BUILD") or "build"
local ROOT = shell.line("pwd")

-- Sanitizers stop at the first report, so that it cannot drown in what follows.
local SANITIZER = table.concat({
  "ASAN_OPTIONS=detect_leaks=1",
  "LSAN_OPTIONS=print_suppressions=0:suppressions=" .. ROOT .. "/tests/support/lsan.supp",
  "UBSAN_OPTIONS=print_stacktrace=1",
  "TSAN_OPTIONS=halt_on_error=1:atexit_sleep_ms=20:second_deadlock_stack=1:suppressions="
    .. ROOT .. "/tests/support/tsan.supp",
}, " ")

--- Collect the tests of the sources themselves.
local function add_checks(jobs)
  for _, path in ipairs(shell.glob("tests/check/*.lua")) do
    jobs[#jobs + 1] = {
      group = "check",
      name = "check/" .. shell.stem(path),
      command = { "lua5.4", path, BUILDS .. "/release" },
      preset = shell.contains(path, "^%-%- needs: release") and "release" or nil,
    }
  end
  jobs[#jobs + 1] = {
    group = "check",
    name = "check/luacheck",
    command = { "luacheck", "--no-color", "-q", "." },
    status_only = true,
  }
end

--- Collect the C programs and the specs of one preset, as far as `run` (support/kinds.lua) wants them.
local function add_programs(jobs, run)
  local preset = run.preset
  local build = BUILDS .. "/" .. preset
  local lua = preset == "release" and "/usr/bin/lua5.4" or build .. "/tests/lua_host"
  local env = {
    "TUTTI_BUILD_DIR=" .. build,
    "TUTTI_PROGRAM=" .. build .. "/tutti",
    "TUTTI_LUA=" .. lua,
    "TUTTI_ROOT=" .. ROOT,
    "LUA_CPATH=" .. build .. "/?.so;;",
    "LUA_PATH=" .. ROOT .. "/?.lua;;",
  }
  table.move(run.env or {}, 1, #(run.env or {}), #env + 1, env)
  local is_tsan = preset:find("^tsan") ~= nil
  local wrap = is_tsan and shell.fixed_addresses() or {}
  table.move(run.wrap or {}, 1, #(run.wrap or {}), #wrap + 1, wrap)

  local function add(group, path, words)
    if run.groups and not run.groups[group] or is_tsan and shell.contains(path, ONE_THREAD) then
      return
    end
    local label = run.label and group .. "-" .. run.label or group
    local command = { "env", "-u", "LUA_PATH_5_4", "-u", "LUA_CPATH_5_4", "-u", "LUA_INIT" }
    table.move(env, 1, #env, #command + 1, command)
    table.move(wrap, 1, #wrap, #command + 1, command)
    table.move(words, 1, #words, #command + 1, command)
    jobs[#jobs + 1] = { group = group, label = label, preset = preset, command = command, limit = run.limit,
      path = path,
      name = ("%s/%s/%s"):format(preset, label, path:gsub("/README.md$", "-README"):match("([^/]+)$")
        :gsub("%.%w+$", "")) }
  end

  for _, path in ipairs(shell.glob("tests/unit/test_*.c tests/unit/test_*.cpp")) do
    add("unit", path, { build .. "/tests/" .. shell.stem(path) })
  end
  for _, path in ipairs(shell.glob("tests/stress/stress_*.c tests/stress/stress_*.cpp")) do
    add("stress", path, { build .. "/tests/" .. shell.stem(path) })
  end
  for _, path in ipairs(shell.glob("tests/spec/*_spec.lua")) do
    add("spec", path, { lua, shell.line("command -v busted"), "--output=TAP", path })
  end
  for _, path in ipairs(shell.glob("scripts/embed/*.c")) do
    add("scripts", path, { "lua5.4", "tests/scripts/run.lua", build .. "/tutti", path })
  end
  if is_tsan then
    return
  end
  for _, path in ipairs(shell.glob("scripts/*.lua README.md */README.md")) do
    if path:find("%.lua$") or shell.contains(path, preset == "release" and "^```[lc]u?a?$" or "^```lua$") then
      add("scripts", path, { "lua5.4", "tests/scripts/run.lua", build .. "/tutti", path })
    end
  end
  if preset == "release" then
    for _, path in ipairs(shell.glob("tests/relacy/relacy_*.cpp")) do
      add("relacy", path, { build .. "/tests/" .. shell.stem(path) })
    end
    for _, path in ipairs(shell.glob("tests/census/oracle.lua")) do
      add("census", path, { "lua5.4", path })
    end
    for _, path in ipairs(shell.glob("tests/package/*.lua")) do
      add("package", path, { "lua5.4", path, build })
    end
  end
end

local function matches(name, filters)
  for _, filter in ipairs(filters) do
    if name:find(filter, 1, true) then
      return true
    end
  end
  return #filters == 0
end

--- What has to be built for a test: its own program, or all that is installed.
local TARGETS = {
  unit = function(job) return { shell.stem(job.path) } end,
  stress = function(job) return { shell.stem(job.path) } end,
  relacy = function(job) return { shell.stem(job.path) } end,
  spec = function(job)
    local embed = shell.stem(job.path):gsub("_spec$", "") -- a spec may drive the program of its name
    local has_embed = #shell.glob(("scripts/embed/%s.c"):format(embed)) > 0
    local targets = { "all", has_embed and "embed_" .. embed or nil }
    targets[#targets + 1] = job.preset ~= "release" and "lua_host" or nil
    return targets
  end,
  scripts = function(job)
    return { "all", job.path:find("%.c$") and "embed_" .. shell.stem(job.path) or nil }
  end,
}

--- The targets of a preset's tests, each once; nil: everything.
local function targets_of(jobs, preset)
  local seen, list = {}, {}
  for _, job in ipairs(jobs) do
    if job.preset == preset then
      if not TARGETS[job.group] then
        return nil
      end
      for _, target in ipairs(TARGETS[job.group](job)) do
        if not seen[target] then
          seen[target], list[#list + 1] = true, target
        end
      end
    end
  end
  return list
end

--- Build each preset that some test needs, of it what they need unless all tests are wanted. Returns how
--- many builds failed; what they did make is tested all the same.
local function build_presets(jobs, everything)
  local done, failed = {}, 0
  for _, job in ipairs(jobs) do
    if job.preset and not done[job.preset] then
      done[job.preset] = true
      local command = { "./tutti", "build", job.preset }
      local targets = not everything and targets_of(jobs, job.preset) or {}
      table.move(targets, 1, #targets, #command + 1, command)
      if not shell.run(command) then
        print("---- build/" .. job.preset .. " failed")
        failed = failed + 1
      end
    end
  end
  return failed
end

local function limit_of(job)
  return tonumber(os.getenv("TUTTI_TEST_TIMEOUT")) or TIMEOUT[job.group] * (job.limit or 1)
end

--- The counts of a test that has ended; prints its whole output when it failed.
local function count_job(job, status, skips)
  local output = shell.read(job.log)
  local count = job.status_only and tap.from_status(status) or tap.parse(output, status)
  if count.timeout then
    count.problems[#count.problems + 1] = ("no end within %d s"):format(limit_of(job))
  end
  for i = #count.skipped, 1, -1 do
    local text = count.skipped[i]
    if not skips[job.name .. ": " .. text] then
      table.remove(count.skipped, i)
      count.failed = count.failed + 1
      count.problems[#count.problems + 1] = "skipped without a line in tests/skips: " .. text
    end
  end
  if count.failed > 0 then
    print(("---- %s (status %d; log %s)"):format(job.name, status, job.log))
    io.write(output, output:sub(-1) == "\n" and "" or "\n")
    for _, problem in ipairs(count.problems) do
      print("---- " .. job.name .. ": " .. problem)
    end
  end
  return count
end

--- The jobs by what they are shown as, in order of appearance: { key, jobs, sums }.
local function in_groups(jobs)
  local groups, by_key = {}, {}
  for _, job in ipairs(jobs) do
    local key = (job.group == "check" and "" or job.preset .. " ") .. (job.label or job.group)
    if not by_key[key] then
      by_key[key] = { key = key, size = 0, passed = 0, failed = 0, skipped = 0, ended = 0, seconds = 0 }
      table.insert(groups, by_key[key])
    end
    job.sums = by_key[key]
    job.sums.size = job.sums.size + 1
  end
  return groups
end

local function print_group(group)
  print(("%-26s %5d passed %4d failed %4d skipped  %6.1f s"):format(
    group.key, group.passed, group.failed, group.skipped, group.seconds))
  io.stdout:flush()
end

--- Run the jobs, `width` of them side by side; a group is told when its last one has ended.
local function run_jobs(jobs, width, skips)
  local commands = {}
  for i, job in ipairs(jobs) do
    local folder = ("%s/%s/logs"):format(BUILDS, job.preset or "release")
    shell.run({ "mkdir", "-p", folder })
    job.log = ("%s/%s.log"):format(folder, job.name:gsub("/", "-"))
    commands[i] = { words = job.command, log = job.log, limit = limit_of(job), env = SANITIZER }
  end
  for i, status, seconds in shell.each_logged(commands, width) do
    local count, sums = count_job(jobs[i], status, skips), jobs[i].sums
    sums.passed = sums.passed + count.passed
    sums.failed = sums.failed + count.failed
    sums.skipped = sums.skipped + #count.skipped
    sums.ended = sums.ended + 1
    sums.seconds = sums.seconds + seconds
    if sums.ended == sums.size then
      print_group(sums)
    end
  end
end

--- The jobs that may run beside others, the longest first, so that no core is idle at the end; and those
--- that may not.
local function by_company(jobs)
  local together, alone = {}, {}
  for rank = 1, #FIRST + 1 do
    for _, job in ipairs(jobs) do
      if rank == (RANK[job.group] or #FIRST + 1) then
        table.insert(ALONE[job.group] and alone or together, job)
      end
    end
  end
  return together, alone
end

--- Lines `TEST: CHECK - reason` of tests/skips; every line needs its reason.
local function read_skips()
  local skips = {}
  for line in io.lines("tests/skips") do
    if line ~= "" and line:sub(1, 1) ~= "#" then
      local key = assert(line:match("^(.-) %- %S.*$"), "tests/skips: no reason: " .. line)
      skips[key] = true
    end
  end
  return skips
end

local function main(words)
  local kind = kinds.is_kind(words[1]) and table.remove(words, 1) or nil
  local jobs, selected = {}, {}
  if not kind then
    add_checks(jobs)
  end
  for _, run in ipairs(kinds.runs(kind)) do
    add_programs(jobs, run)
  end
  for _, job in ipairs(jobs) do
    if matches(job.name, words) then
      selected[#selected + 1] = job
    end
  end
  local skips = read_skips()
  local total = { passed = 0, failed = build_presets(selected, #words == 0), skipped = 0 }
  local groups, together, alone = in_groups(selected), by_company(selected)
  run_jobs(together, WIDTH, skips)
  run_jobs(alone, 1, skips)
  for _, group in ipairs(groups) do
    if group.ended ~= group.size then
      print(("---- %s: %d of %d tests have not been run")
        :format(group.key, group.size - group.ended, group.size))
      group.failed = group.failed + 1
    end
    for key in pairs(total) do
      total[key] = total[key] + group[key]
    end
  end
  if #selected == 0 then
    print("no test has such a name: " .. table.concat(words, " "))
    total.failed = 1
  end
  if total.skipped > 0 then
    print(("%d skipped, see tests/skips"):format(total.skipped))
  end
  print(("%d passed, %d failed"):format(total.passed, total.failed))
  os.exit(total.failed == 0 and total.passed > 0)
end

main({ ... })
