/** The scripts that tie `varve __complete` to a shell. */
/** The line by which `__complete` asks the shell for file names as well. */
export const FILES = ":files";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** Bash takes a colon for the end of a word, so of `nginx:1` only what follows it is to be given. */
const BASH = `# bash completion for varve; put it into ~/.local/share/bash-completion/completions/varve
_varve() {
  local line=\${COMP_LINE:0:COMP_POINT} typed entry prefix
  local -a words entries
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  typed=\${words[-1]}
  prefix=
  [[ $COMP_WORDBREAKS == *:* && $typed == *:* ]] && prefix=\${typed%"\${typed##*:}"}
  mapfile -t entries < <(varve __complete "\${words[@]:1}" 2>/dev/null)
  COMPREPLY=()
  for entry in "\${entries[@]}"; do
    if [[ $entry == ${FILES} ]]; then
      compopt -o filenames
      mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$typed")
    else
      entry=\${entry%%$'\\t'*}
      COMPREPLY+=("\${entry#"$prefix"}")
    fi
  done
}
complete -F _varve varve
`;

const ZSH = `#compdef varve
# zsh completion for varve; put it into a directory of $fpath as _varve
_varve() {
  local -a entries names
  local entry files=
  entries=("\${(@f)$(varve __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  for entry in $entries; do
    if [[ $entry == ${FILES} ]]; then
      files=1
    elif [[ -n $entry ]]; then
      names+=("\${\${entry%%$'\\t'*}//:/\\\\:}:\${entry#*$'\\t'}")
    fi
  done
  (( $#names )) && _describe 'varve' names
  [[ -n $files ]] && _files
}
if [[ $funcstack[1] == _varve ]]; then _varve "$@"; else compdef _varve varve; fi
`;

const FISH = `# fish completion for varve; put it into ~/.config/fish/completions/varve.fish
function __varve_complete
    set -l typed (commandline -ct)
    for entry in (varve __complete (commandline -opc)[2..-1] "$typed" 2>/dev/null)
        if test "$entry" = '${FILES}'
            __fish_complete_path "$typed"
        else
            echo $entry
        end
    end
end
complete -c varve -f -a '(__varve_complete)'
`;

export function completionScript(shell: Shell): string {
  return { bash: BASH, zsh: ZSH, fish: FISH }[shell];
}
