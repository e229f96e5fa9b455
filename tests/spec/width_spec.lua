-- SPDX-License-Identifier: MIT
-- Columns of texts: wide characters, marks that stand on others, and texts that are no UTF-8.
require("tutti") -- makes its other modules known
local width = require("tutti.width")
local layout = require("tutti.report.layout")

describe("columns", function()
  it("are two for wide characters, and none for marks on others", function()
    for text, columns in pairs({ [""] = 0, abc = 3, ["é"] = 1, ["日本"] = 4, ["e\u{301}"] = 1, ["…"] = 1,
      ["한글 ok"] = 7, ["\u{1F600}"] = 2, ["\u{20000}"] = 2, ["├─╯"] = 3, ["\xFF\xFE"] = 2 }) do
      assert.equal(columns, width.of(text), text)
    end
  end)

  it("decide where a text is cut, never in the middle of a character", function()
    assert.same({ "日", "日", "日本", "" }, { width.head("日本", 2), width.head("日本", 3), width.head("日本", 9),
      width.head("日本", 1) })
    assert.same({ "本", "本", "日本", "" }, { width.tail("日本", 2), width.tail("日本", 3), width.tail("日本", 9),
      width.tail("日本", 1) })
    assert.equal("e\u{301}", width.head("e\u{301}f", 1))
    assert.same({ "\xFFa", "b\xFE" }, { width.head("\xFFab", 2), width.tail("ab\xFE", 2) })
  end)

  it("hold for what reports cut", function()
    for most = 2, 12 do
      for _, text in ipairs({ "日本語のタスク", "a日b本c語d", ("x"):rep(20), "kurz" }) do
        for _, cut in ipairs({ layout.cut(text, most), layout.elide(text, most) }) do
          assert.is_true(width.of(cut) <= most, cut)
          assert.is_truthy(utf8.len(cut))
        end
      end
    end
    assert.equal("日本…ク", layout.elide("日本語のタスク", 8))
  end)
end)
