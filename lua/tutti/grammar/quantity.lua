-- SPDX-License-Identifier: MIT
--- Numbers with units, added up: `1m30s`, `1.5GB`.
---
---     quantity = part { part }               -- of some also a number alone
---     part     = number unit
---     number   = digits ["." digits] [("e" | "E") ["+" | "-"] digits]      -- or ".5"
---
--- Layer: lua. Thread: any state.
--- Invariant: a value is a float from 0 on, infinite when the number is too large for a float; never a
--- NaN.
---@module "tutti.grammar.quantity"
local peg = require("tutti.grammar.peg")

local quantity = {}

local lpeg, expect = peg.lpeg, peg.expect
local P, S, R = lpeg.P, lpeg.S, lpeg.R

local digit, letter = R("09"), R("az", "AZ", "\128\255")
local digits = digit ^ 1
local exponent = (S("eE") * S("+-") ^ -1 * digits) ^ -1
local number = (digits * ("." * digits ^ -1) ^ -1 + "." * digits) * exponent / tonumber

--- A function that reads texts: value, or nil and { position =, message = }.
---@param units table[] # { name, factor }; no name is the beginning of a word that is another
---@param bare boolean # may a number stand alone?
---@param hint fun(text: string, position: integer): string?
function quantity.reader(units, bare, hint)
  local unit, names = P(false), {}
  for i, pair in ipairs(units) do
    unit = unit + P(pair[1]) * -letter * lpeg.Cc(pair[2])
    names[i] = pair[1]
  end
  local wanted = ("a unit (%s)"):format(table.concat(names, ", "))
  local whole, alone = -P(1), bare and -P(1) * lpeg.Cc(1) or P(false)
  local part = number * expect(unit, wanted)
  local grammar = lpeg.Ct(expect(number, "a number") * (alone + expect(unit, wanted) * part ^ 0)
    * expect(whole, "a number or the end"))
  return function(text)
    local parts, err = peg.parse(grammar, text, hint)
    if not parts then
      return nil, err
    end
    local sum = 0.0
    for i = 1, #parts, 2 do
      sum = sum + parts[i] * parts[i + 1]
    end
    return sum
  end
end

return quantity
