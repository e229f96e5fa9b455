-- SPDX-License-Identifier: MIT
--- A module whose objects cross: one metatable is a field of it, one was given a name, one has none.
---@module "tests.spec.support.shapes"
local tutti = require("tutti")

local shapes = {}

local Circle = {}
Circle.__index = Circle
shapes.Circle = Circle

function Circle:area()
  return 3 * self.r * self.r
end

local secret = { __call = function(self) return self.n end } -- no field of the module
tutti.register("tests.spec.support.shapes.secret", secret)

local unknown = { __call = function() return 0 end }

function shapes.circle(r)
  return setmetatable({ r = r }, Circle)
end

function shapes.secret(n)
  return setmetatable({ n = n }, secret)
end

function shapes.unknown()
  return setmetatable({}, unknown)
end

return shapes
