-- SPDX-License-Identifier: MIT
--- URLs and the links of pages.
---
--- Invariant: two URLs that name the same page on the same server have the same `text`: the host in small
--- letters, no dots to resolve, no fragment, port 80 not said.
---@module "crawl.links"
local lpeg = require("lpeg")

local links = {}

---@class crawl.url
---@field text string      # "http://host:8080/a/b?c"
---@field host string
---@field port integer
---@field target string    # "/a/b?c"

-- "/a/./b/../c" is "/a/c".
local function resolve_dots(path)
  local parts, is_folder = {}, path:find("/%.?%.?$") ~= nil
  for part in path:gmatch("[^/]+") do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return "/" .. table.concat(parts, "/") .. (is_folder and #parts > 0 and "/" or "")
end

-- What must not stand in a request is written as %XX.
local function escape(text)
  return (text:gsub("[%c \"<>\\^`{|}\128-\255]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

--- Read an absolute URL.
---@return crawl.url? url
---@return string? problem
function links.parse(text)
  local scheme, authority, rest = text:match("^(%a[%w+.-]*)://([^/?#]*)([^#]*)")
  if not scheme then
    return nil, ("\"%s\" is no URL such as http://localhost:8000/"):format(text)
  elseif scheme:lower() ~= "http" then
    return nil, ("%s is not spoken here, only http: %s"):format(scheme, text)
  end
  local host, port = authority:match("^([%w.-]+):?(%d*)$")
  port = port == "" and 80 or math.tointeger(tonumber(port))
  if not host or not port or port < 1 or port > 65535 then
    return nil, ("\"%s\" is no host, or host and port, in %s"):format(authority, text)
  end
  host = host:lower()
  local path, query = rest:match("^([^?]*)(.*)$")
  local target = escape(resolve_dots(path) .. query)
  local shown = port == 80 and host or ("%s:%d"):format(host, port)
  return { text = ("http://%s%s"):format(shown, target), host = host, port = port, target = target }
end

--- Where a reference on the page `base` leads to. Nil for what is no page of http (mailto:, data:, https:).
---@param base crawl.url
---@param reference string
---@return crawl.url?
function links.resolve(base, reference)
  reference = reference:gsub("^%s+", ""):gsub("%s+$", ""):gsub("#.*$", "")
  if reference:find("^%a[%w+.-]*:") then
    return (links.parse(reference))
  end
  local origin = base.text:match("^http://[^/]*")
  local path = base.target:match("^[^?]*")
  if reference == "" then
    return base
  elseif reference:sub(1, 2) == "//" then
    return (links.parse("http:" .. reference))
  elseif reference:sub(1, 1) == "/" then
    return (links.parse(origin .. reference))
  elseif reference:sub(1, 1) == "?" then
    return (links.parse(origin .. path .. reference))
  end
  return (links.parse(origin .. path:match("^.*/") .. reference))
end

local ENTITIES = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'" }

local function decode(text)
  return (text:gsub("&(%w+);", ENTITIES):gsub("&#(%d+);", function(code)
    local number = tonumber(code)
    return number < 0x110000 and utf8.char(number) or nil
  end))
end

-- A page as far as its tags: each gives the values of its href and src attributes.
local function new_grammar()
  local P, R, S, C, Ct, V = lpeg.P, lpeg.R, lpeg.S, lpeg.C, lpeg.Ct, lpeg.V
  local space = S(" \t\r\n\f")
  local function word(text) -- in letters of either case
    local pattern = P(true)
    for letter in text:gmatch(".") do
      pattern = pattern * S(letter:lower() .. letter:upper())
    end
    return pattern
  end
  local function quoted(mark)
    return P(mark) * C((1 - P(mark)) ^ 0) * mark
  end
  local value = quoted('"') + quoted("'") + C((1 - space - ">") ^ 1)
  local equals = space ^ 0 * "=" * space ^ 0
  local name = (1 - space - S("=>/\"'")) ^ 1
  local wanted = (word("href") + word("src")) * #(space + "=") * equals * value
  local other = name * (equals * (value / 0)) ^ -1
  local attributes = (space + "/" + wanted + other + S("\"'=")) ^ 0
  local raw = word("script") + word("style")
  return P({
    Ct((V("comment") + V("raw") + V("tag") + 1) ^ 0),
    comment = P("<!--") * (1 - P("-->")) ^ 0,
    raw = P("<") * raw * #(space + ">" + "/") * attributes * ">" * (1 - P("</") * raw) ^ 0,
    tag = P("<") * R("az", "AZ") * (1 - space - S("/>")) ^ 0 * attributes,
  })
end

local grammar

--- The references of a page, in the order in which they stand there: href and src of all elements.
---@param html string
---@return string[]
function links.find(html)
  grammar = grammar or new_grammar()
  local found = grammar:match(html)
  for i, text in ipairs(found) do
    found[i] = decode(text)
  end
  return found
end

return links
