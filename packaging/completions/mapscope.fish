# Completion of mapscope for fish; installed as share/fish/vendor_completions.d/mapscope.fish.
complete -c mapscope -f

set -l commands verify inspect doctor
set -l none "not __fish_seen_subcommand_from $commands"
complete -c mapscope -n $none -a verify -d "Prove that map operations do no file I/O"
complete -c mapscope -n $none -a inspect -d "What mapscope can see of a Go binary"
complete -c mapscope -n $none -a doctor -d "What this kernel and these privileges allow"
complete -c mapscope -n $none -l version -d "Print the version"
complete -c mapscope -s h -l help -d "Print help"

set -l verify "__fish_seen_subcommand_from verify"
complete -c mapscope -n $verify -s p -l pid -x -a "(__fish_complete_pids)" -d "Watch this running process"
complete -c mapscope -n $verify -l duration -x -d "Stop after so many seconds"
complete -c mapscope -n $verify -l light -d "Only the stack as witness"
complete -c mapscope -n $verify -l exact -d "Also probe first groups, bucket moves and returns"
complete -c mapscope -n $verify -l follow -d "Watch Go programs that the target starts, too"
complete -c mapscope -n $verify -l buffer -x -a "4 8 16 32 64" -d "Room for events on their way, in MiB"
complete -c mapscope -n $verify -s o -l output -r -F -d "Write the report to this file"
complete -c mapscope -n $verify -l user -x -a "(__fish_complete_users)" -d "Run the command as this user"
complete -c mapscope -n $verify -a "(__fish_complete_subcommand)"

complete -c mapscope -n "__fish_seen_subcommand_from $commands" -l json -d "Report as JSON"
complete -c mapscope -n "__fish_seen_subcommand_from inspect" -r -F
complete -c mapscope -n "__fish_seen_subcommand_from inspect" -l functions -d "The map functions, one a line"
