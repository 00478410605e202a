"""`completion`: for the shell."""

from typing import Annotated

import typer

from trainingjob_cli.options import one_of

_BASH = """_trainingjob() {
    local IFS=$'\\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _TRAININGJOB_COMPLETE=complete_bash $1 ) )
}
complete -o default -F _trainingjob trainingjob
"""
_ZSH = """(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u }
_trainingjob() {
    local -a found
    found=( ${(f)"$( env COMP_WORDS="${(pj:\\n:)words}" COMP_CWORD=$(( CURRENT - 1 )) \\
        _TRAININGJOB_COMPLETE=complete_bash trainingjob )"} )
    if (( $#found )); then compadd -a found; else _files; fi
}
compdef _trainingjob trainingjob
"""
_FISH = """function __trainingjob
    env COMP_WORDS=(string join -- " " (commandline -opc) (commandline -ct)) COMP_CWORD=(count (commandline -opc)) \\
        _TRAININGJOB_COMPLETE=complete_bash trainingjob
end
complete --command trainingjob --no-files --arguments '(__trainingjob)'
complete --command trainingjob --condition '__fish_seen_subcommand_from submit upload init run' --force-files
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def completion(
    shell: Annotated[
        str,
        typer.Argument(metavar="bash|zsh|fish", callback=one_of(*_SCRIPTS), autocompletion=lambda: list(_SCRIPTS)),
    ],
) -> None:
    """Print what completes commands, options and names of jobs: source <(trainingjob completion bash)

    kubectl completes `kubectl trainingjob` by itself, where kubectl_complete-trainingjob is on PATH.
    """
    print(_SCRIPTS[shell], end="")
