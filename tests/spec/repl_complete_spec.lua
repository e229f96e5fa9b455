-- SPDX-License-Identifier: MIT
-- Completion: what may come next, found without running anything of the user's.
-- threads: one
local tutti = require("tutti")
local completion = require("tutti.repl.complete")
local cursor = require("tutti.repl.cursor")

local NO_LOCALS = {}

-- The candidates at "|" in `text`, as words; what they replace; the whole list.
local function at(text, locals)
  local position = text:find("|", 1, true) - 1
  text = text:sub(1, position) .. text:sub(position + 2)
  local list, from, to = completion.complete(locals or NO_LOCALS, text, position)
  return table.concat(list, " "), text:sub(from, to), list
end

local function boxes(values)
  local made = {}
  for name, value in pairs(values) do
    made[name] = { value = value }
  end
  return made
end

local calls = 0
local function counts()
  calls = calls + 1
  error("completion called a function")
end
local trap = setmetatable({ plain = 1, call = print }, { __index = counts, __pairs = counts, __len = counts,
  __call = counts, __tostring = counts, __newindex = counts, __eq = counts })

describe("completion of names", function()
  it("gives globals, locals of earlier lines and keywords", function()
    assert.equal("setmetatable", (at("setmeta|")))
    assert.equal("print", (at("x = 1 + pri|")))
    assert.equal("prime_number print", (at("pri|", boxes({ prime_number = 7 }))))
    assert.equal("repeat", (at("repe|")))
    assert.equal("while", (at("whi|")))
    local _, replaced = at("print(setm|etatable)")
    assert.equal("setm", replaced)
  end)

  it("gives the locals that the text declares, where they can be seen", function()
    assert.equal("alpha_one", (at("local alpha_one <const>, b = 1, 2; print(alpha_|)")))
    assert.equal("alpha_p", (at("function f.g:h(alpha_p, ...) return alpha_|")))
    assert.equal("", (at("function f(alpha_p) end return alpha_|")))
    assert.equal("alpha_i alpha_v", (at("for alpha_i, alpha_v in pairs(t) do print(alpha_|")))
    assert.equal("", (at("for alpha_i = 1, 2 do end print(alpha_|")))
    assert.equal("alpha_f", (at("local function alpha_f() return alpha_|")))
    assert.equal("", (at("if x then local alpha_a else alpha_|")))
    assert.equal("alpha_b", (at("while true do local alpha_a = 1 end do local alpha_b alpha_|")))
    assert.equal("alpha_a", (at("repeat local alpha_a = t.end_.function_ alpha_|")))
    assert.equal("self", (at("function t:f() self|")))
  end)

  it("gives nothing where a new name stands, in comments and in numbers", function()
    assert.equal("", (at("local pri|")))
    assert.equal("function", (at("local func|")))
    assert.equal("", (at("for pri|")))
    assert.equal("", (at("goto pri|")))
    assert.equal("", (at("x = 1 -- pri|")))
    assert.equal("", (at("--[==[ pri\n pri|")))
    assert.equal("", (at("x = 0x1|")))
    assert.equal("print", (at("x = 1 -- pri\npri|")))
    assert.equal("print", (at("--[[ x ]] pri|")))
  end)
end)

describe("completion of fields", function()
  it("follows paths of raw fields", function()
    assert.equal("format", (at("string.form|")))
    assert.equal("format", (at("print(string . form|")))
    local locals = boxes({
      t = { one = { two = { three = 3 } }, [1] = { element = true }, ["a b"] = { inner = 1 } },
    })
    assert.equal("three", (at("t.one.two.|", locals)))
    assert.equal("three", (at("t['one'].two.th|", locals)))
    assert.equal("element", (at("t[1].|", locals)))
    assert.equal("inner", (at("t['a b'].|", locals)))
    assert.equal("one", (at("t.|", locals)))
    assert.equal("", (at("t.one.none.|", locals)))
    assert.equal("", (at("f().|", locals)))
    assert.equal("one", (at("x = a..t.|", locals)))
    assert.equal("", (at("x = 1 .t.|", locals)))
  end)

  it("gives only what can be called behind a colon, also of strings", function()
    assert.equal("call", (at("t:|", boxes({ t = trap }))))
    assert.equal("rep reverse", (at("('x'):re|")))
    assert.equal("rep reverse", (at("s:re|", boxes({ s = "text" }))))
    assert.equal("", (at("f'x':re|")))
    assert.equal("", (at("f('x'):re|")))
  end)

  it("knows the tables behind __index, and what __names says of a function", function()
    local base = { method = print, base_field = 1 }
    local derived = setmetatable({ own = 1 }, { __index = base, __metatable = "locked" })
    assert.equal("base_field method own", (at("d.|", boxes({ d = derived }))))
    assert.equal("method", (at("d:|", boxes({ d = derived }))))
    local names = setmetatable({ late = true }, { __index = base })
    local odd = setmetatable({}, { __index = counts, __names = names })
    assert.equal("base_field late method", (at("d.|", boxes({ d = odd }))))
    local one, two = {}, { in_two = 1 }
    setmetatable(one, { __index = two })
    setmetatable(two, { __index = one })
    assert.equal("in_two", (at("d.|", boxes({ d = one }))))
  end)

  it("knows tutti's own values", function()
    assert.equal("exec", (at("t.exe|", boxes({ t = tutti }))))
    assert.equal("read", (at("t.fs.rea|", boxes({ t = tutti }))))
    local task = tutti.spawn(function() error("x") end)
    local _, err = task:pawait()
    assert.equal("cancel", (at("x:canc|", boxes({ x = task }))))
    assert.equal("traceback", (at("x.trace|", boxes({ x = err }))))
    assert.equal("recv", (at("x:re|", boxes({ x = tutti.channel(1) }))))
    assert.equal("fill", (at("x:fi|", boxes({ x = tutti.buffer(8):view("u8") }))))
    local graph = tutti.graph("g")
    graph:task("a", function() end)
    local result = graph:run():await()
    assert.equal("successes", (at("x:succ|", boxes({ x = result }))))
    assert.equal("succeeded successes", (at("x.succ|", boxes({ x = result }))))
    assert.equal("a", (at("x.tasks.|", boxes({ x = { tasks = result.tasks } }))))
    assert.equal("mermaid", (at("x:mer|", boxes({ x = graph:plan() }))))
  end)

  it("shows names for Lua itself only to who asks for them", function()
    local locals = boxes({ t = { __index = 1, _own = 2, name = 3 } })
    assert.equal("_own name", (at("t.|", locals)))
    assert.equal("__index _own", (at("t._|", locals)))
  end)
end)

describe("completion without running code", function()
  it("calls no metamethod", function()
    local locals = boxes({ t = trap, u = { deep = trap } })
    calls = 0
    for _, text in ipairs({ "t.|", "t:|", "t.none.|", "t['none'].|", "u.deep.x.|", "t['|", "|", "t|",
      ":why t|", ":time t.x.|", "#t.|" }) do
      at(text, locals)
    end
    assert.equal(0, calls)
    assert.equal("call plain", (at("t.|", locals)))
  end)

  it("calls none of the globals' metatable", function()
    local old = getmetatable(_G)
    setmetatable(_G, { __index = counts, __newindex = counts })
    calls = 0
    local ok, list = pcall(at, "no_such_global.|")
    local _, names = pcall(at, "setmeta|")
    setmetatable(_G, old)
    assert.is_true(ok)
    assert.equal("", list)
    assert.equal("setmetatable", names)
    assert.equal(0, calls)
  end)
end)

describe("completion in strings", function()
  local folder = os.tmpname()
  os.remove(folder)
  local function make_files()
    assert(os.execute(("mkdir -p '%s/sub' && cd '%s' && "
      .. "touch plain.lua 'with space' \"quo'te\" .hidden sub/inner.txt")
      :format(folder, folder)))
  end
  local function remove_files()
    os.execute(("rm -r '%s'"):format(folder))
  end
  setup(make_files)
  teardown(remove_files)

  it("gives file names", function()
    assert.equal("plain.lua", (at("dofile('" .. folder .. "/pl|")))
    local words, replaced = at("io.open(\"" .. folder .. "/su|")
    assert.equal("sub/", words)
    assert.equal("su", replaced)
    assert.equal("inner.txt", (at("x = [[" .. folder .. "/sub/|")))
    assert.equal("quo\\'te", (at("x = '" .. folder .. "/quo|")))
    assert.equal("quo'te", (at("x = \"" .. folder .. "/quo|")))
    assert.equal(".hidden", (at("x = '" .. folder .. "/.hi|")))
    assert.equal("", (at("x = '" .. folder .. "/none/|")))
    local _, _, list = at("x = '" .. folder .. "/|")
    assert.same({ "plain.lua", "quo\\'te", "sub/", "with space" }, list)
  end)

  it("gives file names to commands", function()
    assert.equal("plain.lua", (at(":load " .. folder .. "/pl|")))
  end)

  it("gives the keys of a table in brackets", function()
    local locals = boxes({ t = { ["a key"] = 1, other = 2 } })
    assert.equal("a key", (at("t['a|", locals)))
    assert.equal("other", (at("t[\"oth|", locals)))
  end)
end)

describe("completion of commands", function()
  it("gives their names and what stands behind them", function()
    assert.equal("tasks", (at(":ta|")))
    assert.equal("tutti.exec", (at(":doc tutti.exe|")))
    assert.equal("exec", (at(":doc exe|")))
    assert.equal("locals", (at(":help loc|")))
    assert.equal("format", (at(":time string.form|")))
    assert.equal("", (at(":nonsense pri|")))
    assert.equal("", (at(":tasks pri|")))
    local _, replaced = at("  :ta|")
    assert.equal("ta", replaced)
  end)

  it("knows what stands behind each", function()
    for name, command in pairs(require("tutti.repl.commands").list) do
      assert.is_function(completion.ARGUMENT[command.usage], name)
    end
  end)

  it("gives the names of tasks that are alive", function()
    local event = tutti.event()
    local inner
    local outer = tutti.spawn({ name = "make everything" }, function()
      inner = tutti.spawn({ name = "make part" }, function() event:wait() end)
      event:wait()
    end)
    while not inner do
      tutti.sleep(0)
    end
    assert.equal("make everything,make part", table.concat(select(3, at(":why make|")), ","))
    assert.equal("mine", (at(":cancel mi|", boxes({ mine = outer, minor = 1 }))))
    event:set()
    outer:await()
    assert.equal("", (at(":why make|")))
  end)
end)

describe("completion of anything", function()
  local PIECES = { "local ", "x", ".", ":", "[", "]", "'", "\"", "[[", "]]", "[==[", "--", "--[[",
    "\n", "(", ")", "{", "}", "function ", "end ", "if ", "then ", "else ", "elseif ", "do ",
    "for ", "in ", "while ", "repeat ", "until ", "return ", "string", "t", "..", "...", "1",
    "0x1p-4", "1e", "\\", "\0", "\255", "ä", "=", "==", "::", "goto ", ":why ", ":help ", ":load ",
    ":trace on ", ":", ",", "<const>", "&", " ", "\\z\n" }

  local function random_text()
    local pieces = {}
    for i = 1, math.random(0, 40) do
      pieces[i] = PIECES[math.random(#PIECES)]
    end
    return table.concat(pieces)
  end

  it("never raises, and answers within its bounds", function()
    local seed = tonumber(os.getenv("TUTTI_SEED")) or os.time()
    math.randomseed(seed)
    local locals = boxes({ t = { 1, { x = trap } }, x = trap, string = string })
    for _ = 1, 3000 do
      local text = random_text()
      local position = math.random(-2, #text + 2)
      local ok, list, from, to = pcall(completion.complete, locals, text, position)
      local note = ("seed %d: %q at %d: %s"):format(seed, text, position, tostring(list))
      assert.is_true(ok, note)
      assert.is_true(#list <= completion.MOST and from >= 1 and from <= to + 1 and to <= #text, note)
    end
  end)

  it("finds what has been declared in whatever is cut off anywhere", function()
    local text = [=[local a_1 = [[x]] -- c
      local function a_2(a_3) for a_4 = 1, 2 do repeat local a_5 <close> = t["x"].y:z{...} until a_5 end end
      return a_2 and 'it''s' or ("x"):rep(0x10p+1) .. 1e-5]=]
    for position = 0, #text do
      local ok, list = pcall(completion.complete, NO_LOCALS, text, position)
      assert.is_true(ok, tostring(list))
    end
    assert.same({ a_1 = true, a_2 = true }, cursor.at(text .. " x").declared)
  end)

  it("is bounded by much", function()
    local many = {}
    for i = 1, 50000 do
      many["key_" .. i] = i
    end
    local _, _, list = at("t.key|", boxes({ t = many }))
    assert.equal(completion.MOST, #list)
    assert.equal("print", (at(("("):rep(100000) .. "prin|")))
    assert.equal("print", (at(("x = [[long]] "):rep(5000) .. "prin|")))
  end)
end)
