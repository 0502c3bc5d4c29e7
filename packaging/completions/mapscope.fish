# Completion of mapscope for fish; installed as share/fish/vendor_completions.d/mapscope.fish.
complete -c mapscope -f

set -l commands verify trace maps record replay inspect daemon status doctor
set -l none "not __fish_seen_subcommand_from $commands"
complete -c mapscope -n $none -a verify -d "Prove that map operations do no file I/O"
complete -c mapscope -n $none -a trace -d "Tell each map creation, growth and memory system call"
complete -c mapscope -n $none -a maps -d "Show every map of a process, from its memory"
complete -c mapscope -n $none -a record -d "Keep what the kernel said of a run"
complete -c mapscope -n $none -a replay -d "Say of a recorded run what trace or verify says live"
complete -c mapscope -n $none -a inspect -d "What mapscope can see of a Go binary"
complete -c mapscope -n $none -a daemon -d "Watch the maps of every Go program of this host, and alert"
complete -c mapscope -n $none -a status -d "Ask a running daemon"
complete -c mapscope -n $none -a doctor -d "What this kernel and these privileges allow"
complete -c mapscope -n $none -l version -d "Print the version"
complete -c mapscope -s h -l help -d "Print help"

# What to look at.
set -l watching "__fish_seen_subcommand_from verify trace record"
complete -c mapscope -n $watching -s p -l pid -x -a "(__fish_complete_pids)" -d "Watch this running process"
complete -c mapscope -n $watching -l duration -x -d "Stop after so many seconds"
complete -c mapscope -n $watching -l follow -d "Watch Go programs that the target starts, too"
complete -c mapscope -n $watching -l buffer -x -a "4 8 16 32 64" -d "Room for events on their way, in MiB"
complete -c mapscope -n $watching -l user -x -a "(__fish_complete_users)" -d "Run the command as this user"
complete -c mapscope -n $watching -a "(__fish_complete_subcommand)"
complete -c mapscope -n "__fish_seen_subcommand_from trace record" -l all-go -d "Watch every Go program of this host"

# How closely.
complete -c mapscope -n "__fish_seen_subcommand_from verify" -l light -d "Only the stack as witness"
complete -c mapscope -n "__fish_seen_subcommand_from verify" -l exact -d "Also probe first groups, bucket moves and returns"
complete -c mapscope -n "__fish_seen_subcommand_from trace" -l all -d "Also small maps"
complete -c mapscope -n "__fish_seen_subcommand_from record" -l rare -d "Not the small maps"
complete -c mapscope -n "__fish_seen_subcommand_from trace record" -l exact -d "Also the address of each new map"

# What to tell of it, and how.
set -l telling "__fish_seen_subcommand_from trace replay"
complete -c mapscope -n $telling -l only -x -a "created grown split rehashed cleared cloned heap large memory file misuse process" -d "Only these kinds"
complete -c mapscope -n $telling -l min-bytes -x -a "64KiB 1MiB" -d "Only what asks for so many bytes"
complete -c mapscope -n $telling -l map -x -d "Only the map at this address"
complete -c mapscope -n $telling -l type -x -d "Only maps of this type"
complete -c mapscope -n $telling -l site -x -d "Only what this function or FILE:LINE does"
complete -c mapscope -n $telling -l stack -d "Show the whole stack of each event"
complete -c mapscope -n $telling -s c -l summary -d "Count by line, instead of events"
complete -c mapscope -n $telling -s C -l with-summary -d "Events and the summary"
complete -c mapscope -n $telling -l format -x -a "text json perfetto" -d "How to show events"
complete -c mapscope -n $telling -l time -x -a "start clock epoch delta none" -d "How to show times"
complete -c mapscope -n "__fish_seen_subcommand_from verify trace replay" -s o -l output -r -F -d "Write to this file"
complete -c mapscope -n "__fish_seen_subcommand_from verify trace" -l record -r -F -d "Also keep what the kernel said"
complete -c mapscope -n "__fish_seen_subcommand_from record replay" -r -F
complete -c mapscope -n "__fish_seen_subcommand_from replay" -l verify -d "The verdict instead of events"

# Maps of a process.
set -l maps "__fish_seen_subcommand_from maps"
complete -c mapscope -n $maps -s p -l pid -x -a "(__fish_complete_pids)" -d "Look at this running process"
complete -c mapscope -n $maps -l core -r -F -d "Look at this core file"
complete -c mapscope -n $maps -l exe -r -F -d "The program of the core file"
complete -c mapscope -n $maps -l snapshot -r -F -d "Look at what --save kept"
complete -c mapscope -n $maps -l diff -r -F -d "What changed between two snapshots"
complete -c mapscope -n $maps -l sort -x -a "reclaimable bytes len slots fill resident tombstones address type" -d "The most of this first"
complete -c mapscope -n $maps -l top -x -d "Show so many maps"
complete -c mapscope -n $maps -l min-bytes -x -a "64KiB 1MiB" -d "Only maps of so much"
complete -c mapscope -n $maps -l type -x -d "Only maps of this type"
complete -c mapscope -n $maps -l owners -d "Look for who holds each map"
complete -c mapscope -n $maps -l no-owners -d "Never look for that"
complete -c mapscope -n $maps -l owner -x -d "Only maps held by this"
complete -c mapscope -n $maps -l site -x -d "Only maps that were made or grew here"
complete -c mapscope -n $maps -l group-by -x -a "type owner site" -d "One line for all maps of a kind"
complete -c mapscope -n $maps -l learn -x -a "10s 1m" -d "First learn from the writes to maps"
complete -c mapscope -n $maps -l pprof -r -F -d "Also write a profile for go tool pprof"
complete -c mapscope -n $maps -l explain -x -d "One map in full"
complete -c mapscope -n $maps -l payload -d "The bytes behind its keys and elements"
complete -c mapscope -n $maps -l watch -x -d "Look again every so many seconds"
complete -c mapscope -n $maps -l save -r -F -d "Keep what was read"
complete -c mapscope -n $maps -l fail-on -x -d "Exit with status 1 if this holds"
complete -c mapscope -n $maps -s o -l output -r -F -d "Write to this file"

# The daemon.
complete -c mapscope -n "__fish_seen_subcommand_from daemon" -l config -r -F -d "The configuration"
complete -c mapscope -n "__fish_seen_subcommand_from daemon" -l check -d "Only say what is wrong in the configuration"
complete -c mapscope -n "__fish_seen_subcommand_from daemon" -l once -d "Look at every process once"
complete -c mapscope -n "__fish_seen_subcommand_from daemon" -l print-config -d "Print the configuration in force"
complete -c mapscope -n "__fish_seen_subcommand_from status" -l socket -r -F -d "The socket of the daemon"
complete -c mapscope -n "__fish_seen_subcommand_from status" -l findings -d "All findings, with causes and fixes"

complete -c mapscope -n "__fish_seen_subcommand_from verify trace maps replay inspect status doctor" -l json -d "Report as JSON"
complete -c mapscope -n "__fish_seen_subcommand_from inspect" -r -F
complete -c mapscope -n "__fish_seen_subcommand_from inspect" -l functions -d "The map functions, one a line"
