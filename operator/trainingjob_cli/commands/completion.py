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
_SCRIPTS = {
    "bash": _BASH,
    "zsh": f"autoload -U +X bashcompinit && bashcompinit\n{_BASH}",
    "fish": "complete --command trainingjob --arguments '(env _TRAININGJOB_COMPLETE=complete_bash"
    ' COMP_WORDS=(string join " " (commandline -opc) (commandline -ct)) COMP_CWORD=(count (commandline -opc))'
    " trainingjob)'\n",
}


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
