"""Runs a command on a terminal of its own, for tests.

Lines on stdin: `keys HEX`, `size COLS ROWS`, `signal NAME`. Its output goes to stdout. At its end one
line of JSON on stderr: how it ended, and whether the terminal's modes are those of the beginning.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios


def set_size(fd, cols, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


def obey(line, pid, fd):
    word, *rest = line.split()
    if word == "keys":
        os.write(fd, bytes.fromhex(rest[0]))
    elif word == "size":
        set_size(fd, int(rest[0]), int(rest[1]))
    elif word == "signal":
        os.kill(pid, getattr(signal, rest[0]))


def read(fd):
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""


def main():
    master, slave = pty.openpty()
    set_size(master, 100, 30)
    before = termios.tcgetattr(slave)
    pid = os.fork()
    if pid == 0:
        os.login_tty(slave) if hasattr(os, "login_tty") else login(slave, master)
        os.execvp(sys.argv[1], sys.argv[1:])
    fds, pending = [master, 0], b""
    ended = None
    while ended is None or select.select([master], [], [], 0.05)[0]:
        if ended is None:
            done, status = os.waitpid(pid, os.WNOHANG)
            ended = os.waitstatus_to_exitcode(status) if done else None
        ready = select.select(fds, [], [], 0.05)[0]
        if master in ready:
            os.write(1, read(master))
        if 0 in ready:
            data = os.read(0, 65536)
            if not data:
                fds.remove(0)
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                obey(line.decode(), pid, master)
    same = termios.tcgetattr(slave) == before
    print(json.dumps({"code": ended, "isRestored": same}), file=sys.stderr)


def login(slave, master):
    os.close(master)
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in range(3):
        os.dup2(slave, fd)


main()
