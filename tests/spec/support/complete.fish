# SPDX-License-Identifier: MIT
# Usage: fish complete.fish COMPLETIONS LINE...    prints "[LINE]" and, on a line each, what fish offers there.
source $argv[1]
for line in $argv[2..-1]
    printf '[%s]\n' $line
    complete -C $line | string replace -r '\t.*' ''
end
