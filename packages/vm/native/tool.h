#ifndef TOOL_H
#define TOOL_H

/* The program named `agentos-tool`, in a VM. Returns its exit code. */
int tool_main(int argc, char **argv);

#endif
