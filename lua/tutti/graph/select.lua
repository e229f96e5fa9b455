-- SPDX-License-Identifier: MIT
--- Selectors applied to a graph: which tasks are meant. What those need comes with them in a plan.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: each part of a selector is looked up once, in time linear in the graph, without recursion.
---@module "tutti.graph.select"
local core = require("tutti.core")
local errors = require("tutti.errors")
local names = require("tutti.graph.names")

local select = {}

-- ---- reaching ------------------------------------------------------------------------------

-- Add to the set all that can be reached from it; `following(name)` is a list of names.
local function reach(set, following)
  local stack = {}
  for name in pairs(set) do
    stack[#stack + 1] = name
  end
  while #stack > 0 do
    for _, name in ipairs(following(table.remove(stack))) do
      if not set[name] then
        set[name] = true
        stack[#stack + 1] = name
      end
    end
  end
  return set
end

local NONE = {}

--- Add to a set of names all that those need, directly or not.
function select.with_needs(graph, set)
  return reach(set, function(name)
    local node = graph.by_name[name]
    return node and node.needs or NONE
  end)
end

local function with_dependents(graph, set)
  local dependents = {}
  for _, node in ipairs(graph.nodes) do
    for _, need in ipairs(node.needs) do
      dependents[need] = dependents[need] or {}
      table.insert(dependents[need], node.name)
    end
  end
  return reach(set, function(name) return dependents[name] or NONE end)
end

-- ---- one part ------------------------------------------------------------------------------

local function raise_nothing(graph, subject, word, near)
  local message = ("graph \"%s\": %s %s%s"):format(graph.name, subject, word,
    near and (" (did you mean \"%s\"?)"):format(near) or "")
  error(errors.new({ kind = "missing", message = message, place = (core.places()) }), 0)
end

local function is_match(tree, word)
  if tree.matches then
    return tree.matches(word) and true or false
  end
  return tree.name == word
end

-- As it is written, in quotes unless it is a name.
local function shown(tree)
  local grammar = require("tutti.grammar.selector")
  return ("\"%s\""):format(grammar.format({ kind = "name", name = tree.name, glob = tree.glob }))
end

local find = {}

function find.name(graph, tree, is_excluded)
  if tree.name then
    if not graph.by_name[tree.name] then
      names.raise_missing(graph, "the selector names task", tree.name, (core.places()))
    end
    return { [tree.name] = true }
  end
  local set = {}
  for _, node in ipairs(graph.nodes) do
    set[node.name] = is_match(tree, node.name) or nil
  end
  if next(set) == nil and not is_excluded then
    raise_nothing(graph, "no task's name matches", shown(tree))
  end
  return set
end

local function nearest_tag(graph, word)
  local tags = {}
  for _, node in ipairs(graph.nodes) do
    for _, tag in ipairs(node.tags or NONE) do
      tags[#tags + 1] = { name = tag }
    end
  end
  return names.nearest(word, tags)
end

function find.tag(graph, tree, is_excluded)
  local set = {}
  for _, node in ipairs(graph.nodes) do
    for _, tag in ipairs(node.tags or NONE) do
      set[node.name] = set[node.name] or is_match(tree, tag) or nil
    end
  end
  if next(set) == nil and not is_excluded then
    raise_nothing(graph, "no task has a tag", shown(tree), tree.name and nearest_tag(graph, tree.name))
  end
  return set
end

-- ---- whole selectors -----------------------------------------------------------------------

local set_of

function find.any(graph, tree, is_excluded)
  local set = {}
  for _, part in ipairs(tree) do
    for name in pairs(set_of(graph, part, is_excluded)) do
      set[name] = true
    end
  end
  return set
end

function find.all(graph, tree, is_excluded)
  local set = set_of(graph, tree[1], is_excluded)
  for i = 2, #tree do
    local other = set_of(graph, tree[i], is_excluded)
    for name in pairs(set) do
      set[name] = other[name]
    end
  end
  return set
end

find["not"] = function(graph, tree)
  local without, set = set_of(graph, tree[1], true), {}
  for _, node in ipairs(graph.nodes) do
    set[node.name] = not without[node.name] or nil
  end
  return set
end

function find.group(graph, tree, is_excluded)
  return set_of(graph, tree[1], is_excluded)
end

-- The names that a part means. `is_excluded`: it stands behind a "!", where a pattern may match nothing.
function set_of(graph, tree, is_excluded)
  local set = find[tree.kind](graph, tree, is_excluded)
  if tree.needs and tree.dependents then -- both from what it means itself
    local above = {}
    for name in pairs(set) do
      above[name] = true
    end
    with_dependents(graph, set)
    for name in pairs(select.with_needs(graph, above)) do
      set[name] = true
    end
  elseif tree.needs then
    select.with_needs(graph, set)
  elseif tree.dependents then
    with_dependents(graph, set)
  end
  return set
end

-- ---- from text or a list -------------------------------------------------------------------

local function from_text(graph, text)
  local tree, err = require("tutti.grammar.selector").parse(text)
  local line = core.places()
  if not tree then
    local message = ("%sselector: %s"):format(line and line .. ": " or "", err.message)
    error(errors.new({ kind = "usage", message = message, position = err.position, place = line }), 0)
  end
  local set = set_of(graph, tree, false)
  if next(set) == nil then
    raise_nothing(graph, "there is no task that", ("\"%s\" selects"):format(text))
  end
  return set
end

local function from_list(graph, list, level)
  if #list == 0 then
    core.usage("selector: an empty list selects nothing; leave it out for all tasks", level + 1)
  end
  local set = {}
  for i, name in ipairs(list) do
    if type(name) ~= "string" then
      core.usage(("selector: element %d of the list must be the name of a task, got %s")
        :format(i, type(name)), level + 1)
    elseif not graph.by_name[name] then
      names.raise_missing(graph, "the selector names task", name, (core.places()))
    end
    set[name] = true
  end
  return set
end

--- The set of the names that a selector (text, or a list of names) means in a graph. `level` as for
--- core.usage.
function select.select(graph, selector, level)
  if type(selector) == "string" then
    return from_text(graph, selector)
  elseif type(selector) == "table" then
    return from_list(graph, selector, level + 1)
  end
  core.usage(("selector: a text such as \"tests, tag:slow\", or a list of names, was expected, got %s")
    :format(type(selector)), level + 1)
end

return select
