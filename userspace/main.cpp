// The table of contents: which command runs.
#include "commands/commands.h"

int main(int argc, char **argv) { return mapscope::run(argc, argv); }
