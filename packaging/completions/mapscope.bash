# Completion of mapscope for bash; installed as share/bash-completion/completions/mapscope.
_mapscope() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command= word at

    COMPREPLY=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        if [[ $command == verify && $word == -- ]]; then
            # What follows is another command line: complete it as its own.
            _command_offset $((at + 1))
            return
        fi
        [[ -z $command && $word != -* ]] && command=$word
    done

    case $command:$previous in
        verify:-p | verify:--pid) COMPREPLY=($(compgen -W "$(cd /proc && echo [0-9]*)" -- "$current")); return ;;
        verify:--user) COMPREPLY=($(compgen -u -- "$current")); return ;;
        verify:-o | verify:--output) COMPREPLY=($(compgen -f -- "$current")); return ;;
        verify:--duration) return ;;
    esac

    local words=
    case $command in
        '') words="verify inspect doctor --help --version" ;;
        verify) words="--pid --duration --light --exact --follow --buffer --json --output --user --help --" ;;
        inspect) words="--json --functions --help" ;;
        doctor) words="--json --help" ;;
    esac
    if [[ $command == inspect && $current != -* ]]; then
        COMPREPLY=($(compgen -f -- "$current"))
    else
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    fi
}
complete -o filenames -F _mapscope mapscope
