-- SPDX-License-Identifier: MIT
--- Serves the files of a folder on a free port of this machine, as far as a check of its links needs it.
---
--- Invariant: nothing above the folder is served; a folder is served by its index.html, and by its name with
--- a slash only, so that relative links are right.
---@module "crawl.server"
local tutti = require("tutti")
local uv = tutti.uv

local server = {}

local TYPES = { html = "text/html", htm = "text/html", css = "text/css", js = "text/javascript",
  txt = "text/plain",
  png = "image/png", jpg = "image/jpeg", svg = "image/svg+xml" }

local function decode(path)
  return (path:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function page(status, kind, body, more)
  return ("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n%s"):format(status, kind,
    #body, more or "", body)
end

-- The answer to the first line of a request.
local function answer(folder, line)
  local target = line:match("^GET (/[^%s?]*)[^%s]* HTTP/1%.[01]$")
  local path = target and decode(target)
  if not path or path:find("%z") or (path .. "/"):find("/../", 1, true) then
    return page("400 Bad Request", "text/plain", "what?\n")
  end
  local file = folder .. path
  local ok, found = pcall(tutti.fs.stat, file)
  if ok and found.type == "directory" then
    if path:sub(-1) ~= "/" then
      return page("301 Moved Permanently", "text/plain", "", ("Location: %s/\r\n"):format(target))
    end
    file = file .. "index.html"
  end
  local readable, body = pcall(tutti.fs.read, file)
  if not readable then
    return page("404 Not Found", "text/plain", "there is no " .. path .. "\n")
  end
  return page("200 OK", TYPES[file:match("%.(%w+)$") or ""] or "application/octet-stream", body)
end

-- One connection: a request, an answer.
local function serve(folder, peer)
  local head, line = "", nil
  peer:read_start(function(_, data)
    head = head .. (data or "")
    line = line or head:match("^([^\r\n]*)\r?\n.-\r?\n\r?\n") or head:match("^([^\r\n]*)\r?\n\r?\n")
    if line or not data or #head > 65536 then
      peer:read_stop()
      tutti.spawn({ name = line or "request", detach = true }, function()
        local _ <close> = setmetatable({}, { __close = function() peer:close() end })
        pcall(tutti.await, uv.write, peer, answer(folder, line or ""))
      end)
    end
  end)
end

--- Serve `folder` until the handle that is returned is closed.
---@return userdata handle
---@return string url        # "http://127.0.0.1:PORT/"
function server.start(folder)
  local handle = uv.new_tcp()
  assert(handle:bind("127.0.0.1", 0))
  assert(handle:listen(128, function()
    local peer = uv.new_tcp()
    handle:accept(peer)
    serve(folder, peer)
  end))
  return handle, ("http://127.0.0.1:%d/"):format(handle:getsockname().port)
end

return server
