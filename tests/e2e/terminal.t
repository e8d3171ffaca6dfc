#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A terminal passes through berth run as if the program had been started by itself: size, Ctrl-C, Ctrl-Z, Ctrl-\, fg.
. "$(dirname "$0")/lib.sh"

cat >terminal.py <<'EOF2'
import fcntl, os, pty, select, signal, struct, sys, termios, time
berth, net, patience = sys.argv[1], sys.argv[2], float(sys.argv[3])
pid, fd = pty.fork()
if pid == 0:
    # A shell that runs us in the background has these ignored.
    for number in signal.SIGINT, signal.SIGQUIT: signal.signal(number, signal.SIG_DFL)
    os.environ["PS1"] = "> "
    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
seen = b""
def size(rows, columns): fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
def say(text): os.write(fd, text.encode())
def wait(text):
    global seen
    end = time.time() + patience
    while text.encode() not in seen:
        if time.time() > end:
            print("no", repr(text), "in", seen); sys.exit(1)
        if select.select([fd], [], [], 0.2)[0]:
            seen += os.read(fd, 65536)
    seen = seen[seen.index(text.encode()) + len(text):]
def check(text, name): wait(text); print("good", name, flush=True)
run = f"{berth} run --net {net} -- "
ready = "python3 -uc 'print(\"rea\"+\"dy\"); import sys, time; [print(\"got\", l) for l in sys.stdin]'; echo \"code $?\"\n"
say("stty -echo; echo be''gin\n"); wait("begin")
size(30, 90); say(run + "stty size\n"); check("30 90", "size")
say(run + "bash -c 'trap \"stty size; exit 3\" WINCH; echo rea''dy; while :; do sleep 0.1; done'; echo \"code $?\"\n")
wait("ready"); size(41, 99); check("41 99", "change"); check("code 3", "exit")
say(run + ready); wait("ready"); say("\x03"); wait("> "); say("echo \"code $?\"\n"); check("code 130", "ctrl-c") # the rest of the line is the shell's to drop
say(run + ready); wait("ready"); say("\x1c"); check("code 131", "ctrl-quit")
say(run + ready); wait("ready"); say("one\n"); check("got one", "input")
say("\x1a"); check("code 148", "ctrl-z"); say("jobs\n"); check("Stopped", "stopped")
say("fg; echo \"fg $?\"\n"); wait("run"); say("two\n"); check("got two", "fg"); say("\x04"); check("fg 0", "ctrl-d")
say("for i in 1 2; do " + run + "bash -c 'echo rea''dy; sleep 100'; echo go''ne; done; echo \"loop $?\"\n"); wait("ready"); say("\x03")
say("echo pro''mpt\n"); wait("prompt"); print("good loop" if b"gone" not in seen else "no loop")
say(run + "cat &\n"); say("while ! jobs | grep -q Stopped; do sleep 0.1; done; echo st''op\n"); check("stop", "background reader")
say("fg\n"); wait("run"); say("three\n"); check("three", "fg of it"); say("\x03"); say("exit 0\n")
while select.select([fd], [], [], patience)[0]:
    try:
        if not os.read(fd, 65536): break
    except OSError: break
EOF2
out=$("$PYTHON" terminal.py "$BERTH" "$NET" $((20 * slow)) 2>&1)
for name in "size:the program sees the terminal's size" "change:a change of it, by SIGWINCH" \
	"exit:the exit code comes through" "ctrl-c:Ctrl-C ends the program: 130" 'ctrl-quit:Ctrl-\ does: 131' \
	"input:what is typed is the program's" "ctrl-z:Ctrl-Z stops it, and the shell sees SIGTSTP (148)" \
	"stopped:the shell lists it as stopped" "fg:fg goes on with it" "ctrl-d:Ctrl-D is the end of its input" \
	"loop:Ctrl-C ends a shell's loop around it, too" "background reader:one that reads in the background is stopped" "fg of it:and goes on in the foreground"; do
	like "$out" "^good ${name%%:*}\$" "${name#*:}"
done
[ "$(grep -c good <<<"$out")" = 13 ] || show "all of it" "$out"
finish
