# SPDX-License-Identifier: MIT
# Usage: zsh -f complete.zsh COMPLETIONS LINE...    prints "[LINE]" and, on a line each, what an interactive zsh
# offers there. The shell runs in a terminal of zpty; a widget prints what is handed to compadd.
zmodload zsh/zpty
zpty shell env TERM=dumb zsh -f -i
zpty -w shell 'PS1= PROMPT2=; autoload -U compinit; compinit -u -D; source '${(q)1}'
offer() {
  local -a all
  compadd() {
    local -a found
    [[ " $* " == *" -"[AOD]" "* ]] || builtin compadd -A found "$@"
    all+=($found)
    builtin compadd "$@"
  }
  _main_complete
  unfunction compadd
  print -lr -- ${(u)all} >offered
  print -r -- "<""offered>"
}
zle -C offer complete-word offer; bindkey "^X" offer; print READ""Y'
zpty -r -m shell start '*READY*'
shift
for line in "$@"; do
  print -r -- "[$line]"
  zpty -w -n shell $line$'\x18'
  zpty -r -m shell out '*<offered>*'
  print -r -- "$(<offered)"
  zpty -w -n shell $'\x15'
done
zpty -d shell
