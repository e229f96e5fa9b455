-- SPDX-License-Identifier: MIT
-- A deployment as a graph: what needs what is said once, and everything starts the moment it can.
--
--   ./tutti run scripts/deploy.lua                 all of it
--   ./tutti run scripts/deploy.lua tests           the tests, and what they need
--   ./tutti run scripts/deploy.lua --list          what there is; also: 'tag:slow', 'server+', '!assets'
--   ./tutti plan scripts/deploy.lua [--dot]        in which order, and which path decides how long it takes
--
-- The database takes 0.2 s, the server another 0.1 s; the assets 0.3 s beside them, and their first download
-- fails; the tests take 0.2 s. In steps with a barrier after each that would be 0.6 s. Along the longest path
-- it is 0.5 s.
--
-- expect: database   port 5432
-- expect: assets     app.css app.js logo.svg, at attempt 2
-- expect: server     http://localhost:8080, database on port 5432
-- expect: tests      3 of 3 assets are served
local tutti = require("tutti")

local g = tutti.graph("deploy")

-- Stands for what really takes a while: a program (tutti.exec), a request, a check that waits.
local function work(seconds)
  tutti.sleep(seconds)
end

g:task("database", { description = "set up the database", timeout = "1m", estimate = "200ms",
  tags = { "slow" } },
  function()
    work(0.2)
    return { port = 5432 }
  end)

local downloads = 0
g:task("assets", { description = "download the assets", estimate = "300ms", tags = { "net", "slow" },
  retry = { times = 3, backoff = { "50ms", "1s", 2, 0 } } },
  function()
    downloads = downloads + 1
    work(downloads == 1 and 0.05 or 0.2)
    if downloads == 1 then
      error("the mirror has hung up")
    end
    return { "app.css", "app.js", "logo.svg", attempt = downloads }
  end)

g:task("server", { description = "start the server", estimate = "100ms", needs = { "database" } },
  function(database)
    work(0.1)
    return { url = "http://localhost:8080", database = database }
  end)

g:task("tests", { description = "ask the server for each asset", estimate = "200ms" },
  function(server, assets)
    work(0.2)
    return { server = server, assets = assets, served = #assets }
  end)

g:task("report", { description = "say what there is" },
  function(tests)
    print(("database   port %d"):format(tests.server.database.port))
    print(("assets     %s, at attempt %d"):format(table.concat(tests.assets, " "), tests.assets.attempt))
    print(("server     %s, database on port %d"):format(tests.server.url, tests.server.database.port))
    print(("tests      %d of %d assets are served"):format(tests.served, #tests.assets))
  end)

-- The tests get the results of the server and the assets, in this order.
g:flow("(server, assets) >> tests >> report")

return g
