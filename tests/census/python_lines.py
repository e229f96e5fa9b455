# SPDX-License-Identifier: MIT
"""Lines of Python files as Python itself sees them: the second opinion for oracle.lua.

Reads paths from stdin, one a line; prints "path<TAB>blank<TAB>comment<TAB>code" for each. A line is
code if a token of it is neither a comment nor a docstring, and blank if it has only white space. A
file that this Python cannot parse is printed with a "-" and the reason instead of numbers.
"""
import ast
import io
import sys
import tokenize
import warnings

NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENCODING, tokenize.ENDMARKER,
}


def docstrings(tree):
    """Begin and end, as (line, byte in the line), of every docstring."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if ast.get_docstring(node, clean=False) is not None:
                text = node.body[0].value
                yield (text.lineno, text.col_offset), (text.end_lineno, text.end_col_offset)


def code_lines(source):
    spans = sorted(docstrings(ast.parse(source)))
    lines = set()
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type in NO_CODE:
            continue
        # ast counts bytes, tokenize characters
        column = len(token.line.splitlines(True)[0][:token.start[1]].encode()) if token.line else 0
        at = (token.start[0], column)
        if token.type == tokenize.STRING and any(a <= at < b for a, b in spans):
            continue
        lines.update(range(token.start[0], token.end[0] + 1))
    return lines


def count(path):
    with open(path, "rb") as file:
        source = file.read()
    lines = source.split(b"\n")
    if not lines[-1]:
        lines.pop()
    if lines and lines[0].startswith(b"\xef\xbb\xbf"):
        lines[0] = lines[0][3:]
    full = {number for number, line in enumerate(lines, 1) if line.strip()}
    code = len(full & code_lines(source))
    return len(lines) - len(full), len(full) - code, code


def main():
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        path = line.rstrip("\n")
        try:
            print(path, *count(path), sep="\t")
        except (SyntaxError, ValueError, RecursionError, tokenize.TokenError) as problem:
            print(path, "-", str(problem).replace("\n", " "), sep="\t")


main()
