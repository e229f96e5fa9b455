# SPDX-License-Identifier: MIT
# Usage: bash complete.bash COMPLETIONS LINE...    prints "[LINE]" and, on a line each, what the function that
# bash calls for this line offers. = and : are words of their own, as for bash itself.
source "$1"
shift
for line in "$@"; do
    printf '[%s]\n' "$line"
    spaced=${line//=/ = }
    read -ra COMP_WORDS <<<"${spaced//:/ : }"
    [[ $line == *' ' ]] && COMP_WORDS+=("")
    COMP_LINE=$line COMP_POINT=${#line} COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
    _tutti
    [[ ${#COMPREPLY[@]} == 0 ]] || printf '%s\n' "${COMPREPLY[@]}"
done
