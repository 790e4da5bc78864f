import { rows } from "../requirement.ts";

/** Terminals: what people and programs expect of one. */
export const terminal = [
  ...rows("terminals", {
    "terminal.unsupported": "a driver without terminals says so, and what to use instead",
  }),
  ...rows(
    "terminals",
    {
      "terminal.tty": "a terminal controls a session of its own, and has the size asked for",
      "terminal.jobs": "bash has job control: Ctrl-Z, jobs, fg, Ctrl-C",
      "terminal.vim": "vim edits a file, and the screen is as before when it ends",
      "terminal.less": "less pages, and ends",
      "terminal.top": "top draws and ends",
      "terminal.python": "python's prompt edits and answers",
      "terminal.tmux": "tmux runs in it, with terminals of its own",
      "terminal.progress": "a progress bar draws over its own line",
      "terminal.resize": "a new size is seen by stty and told by SIGWINCH",
      "terminal.paste": "a MiB pasted into a raw terminal comes back whole",
      "terminal.long-line": "a pasted line of 100 KiB arrives whole at a shell",
      "terminal.utf8": "characters cut by frames arrive whole",
      "terminal.pending": "output that waits when the program ends is read to its end",
      "terminal.hang-up": "closing a terminal hangs up",
      "terminal.readers": "two readers get the same bytes, and one that stalls holds nobody up",
      "terminal.unread": "a program that nobody reads waits, and goes on where somebody leaves",
      "terminal.adopt": "kill -9 of the sidecar loses no byte, in or out",
      "terminal.reattach":
        "after a dropped connection, and from another program, the output is there",
      "terminal.snapshot": "the screen as text is what a person would see, from any holder",
      "terminal.lease": "a terminal outlives the lease it was opened under",
      "terminal.bad-input": "nonsense is refused with typed errors, and changes nothing",
      "terminal.command":
        "agentos shell passes keys, size and exit code on, and restores the terminal",
      "terminal.detach": "agentos shell is left by its keys and gone on with by agentos attach",
      "terminal.no-terminal": "agentos shell without a terminal says so",
    },
    "linux",
  ),
];
