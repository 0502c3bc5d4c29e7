# Completion of mapscope for bash; installed as share/bash-completion/completions/mapscope.
_mapscope() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command= word at

    COMPREPLY=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        if [[ $command =~ ^(verify|trace|record)$ && $word == -- ]]; then
            # What follows is another command line: complete it as its own.
            _command_offset $((at + 1))
            return
        fi
        [[ -z $command && $word != -* ]] && command=$word
    done

    case $previous in
        -p | --pid) COMPREPLY=($(compgen -W "$(cd /proc && echo [0-9]*)" -- "$current")); return ;;
        --user) COMPREPLY=($(compgen -u -- "$current")); return ;;
        -o | --output | --config | --socket | --record | --core | --exe | --snapshot | --diff | --save | --pprof) COMPREPLY=($(compgen -f -- "$current")); return ;;
        --format) COMPREPLY=($(compgen -W "text json perfetto" -- "$current")); return ;;
        --time) COMPREPLY=($(compgen -W "start clock epoch delta none" -- "$current")); return ;;
        --only)
            COMPREPLY=($(compgen -W "created grown split rehashed cleared cloned heap large memory file misuse process" -- "$current"))
            return
            ;;
        --sort)
            if [[ $command == bpf-maps ]]; then
                COMPREPLY=($(compgen -W "fill entries memory id name lookups updates" -- "$current"))
                return
            fi
            COMPREPLY=($(compgen -W "reclaimable bytes len slots fill resident tombstones address type" -- "$current"))
            return
            ;;
        --group-by) COMPREPLY=($(compgen -W "type owner site" -- "$current")); return ;;
        --top | --explain | --keys | --limit | --name | --rates | --budget | --watch | --fail-on | --owner | --learn) return ;;
        --duration | --buffer | --min-bytes | --map | --type | --site) return ;;
    esac

    local target="--pid --duration --follow --buffer --user --"
    local telling="--only --min-bytes --map --type --site --stack --summary --with-summary --json --format --time --output"
    local words=
    case $command in
        '') words="verify trace maps bpf-maps vet record replay inspect daemon status doctor --help --version" ;;
        verify) words="$target --light --exact --json --output --record --help" ;;
        trace) words="$target --all-go --all --exact $telling --record --help" ;;
        maps) words="--pid --core --exe --snapshot --diff --sort --top --min-bytes --type --owners --no-owners --owner --site --group-by --learn --pprof --explain --payload --watch --save --fail-on --json --output --help" ;;
        bpf-maps) words="--sort --top --type --name --own --rates --budget --explain --keys --limit --values --watch --json --output --help" ;;
        vet) words="--json --sarif --fail-on --disable --max-bytes --cpus --no-go --go-analyzer --go-timeout --help" ;;
        record) words="$target --all-go --rare --exact --help" ;;
        replay) words="--verify $telling --help" ;;
        inspect) words="--json --functions --help" ;;
        daemon) words="--config --check --once --print-config --help" ;;
        status) words="--socket --json --findings --help" ;;
        doctor) words="--json --help" ;;
    esac
    if [[ $command =~ ^(inspect|record|replay|vet)$ && $current != -* ]]; then
        COMPREPLY=($(compgen -f -- "$current"))
    else
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    fi
}
complete -o filenames -F _mapscope mapscope
