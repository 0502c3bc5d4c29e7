// One file per command; run() finds the one that the command line names.
#pragma once

namespace mapscope {

// The whole program after the loader: parses the command line, runs one command, and
// returns its exit status (design: 0 done and nothing found, 1 found something, 2 wrong
// usage, 3 could not tell, 4 not permitted, 5 target gone).
int run(int argc, char **argv);

} // namespace mapscope
