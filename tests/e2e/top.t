#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# berth top: as text, and on a terminal (tmux's), with its keys.
. "$(dirname "$0")/lib.sh"
need curl tmux

# A page without end: what comes is a little, always.
cat >serve.py <<'END'
import http.server, time
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 4000)
            time.sleep(0.05)
http.server.ThreadingHTTPServer(("", 80), Page).serve_forever()
END
start web "$PYTHON" serve.py
await_port web 80
ok $? "a web server runs"
start client curl -sN -o /dev/null http://web/
until_true 15 sh -c '"$BERTH" ps --net "$NET" | grep -q "^client "'
start other sleep 1000

# As text.
top() { timeout 60 "$BERTH" top --net "$NET" "$@" 2>&1; }
flows() { top -b -n 1 -d 0.5 --view conversations >flows; grep -Eq '^client:[0-9]+ +web:80 +curl > python3 +ESTAB +wire +[^ ]+ +[^ ]+ +[^ ]+ +[0-9.]+k ' flows; }
until_true 30 flows
ok $? "-b: a conversation in one line, with both ends, and what comes down"
top -b -n 2 -d 0.2 >frames
is "$?$(grep -c '^berth top - .*, network '"$NET"'$' frames)" 02 "-b -n 2: two frames"
is "$(grep -c '^Hosts: 3$' frames)$(grep -c '^Links: ' frames)$(grep -c '^Events' frames)" 220 "… of hosts, conversations and links"
unlike "$(cat -v frames)" '\^\[| $' "… without an escape sequence, or blanks at a line's end"
hosts() { top -b -n 1 -d 0.1 --view hosts "$@" | awk 'NR > 4 { print $1 }' | tr '\n' ' '; }
is "$(hosts --sort name)" "client other web " "--sort name"
is "$(hosts --sort CONV | awk '{ print $NF }')" other "--sort conv: who has none is last"
is "$(hosts python3)" "web " "a filter: those with the word in them"
is "$(TERM=dumb timeout 60 "$BERTH" top --net "$NET" -d 0.1 </dev/null 2>&1 | head -n 1 | grep -c '^berth top - ')" 1 \
	"in a pipe it is text, too"

# On a terminal.
export LC_ALL=C.UTF-8 TERM=xterm-256color SHELL=/bin/sh PS1='sh> ' TMUX_TMPDIR=$WORK
unset TMUX NO_COLOR
tm() { tmux -L t -f /dev/null "$@"; }
tm new-session -d -s t -x 80 -y 24 'exec sh'
keys() { tm send-keys -t t "$@"; }
screen() { tm capture-pane -p -t t; }
on_screen() { screen | grep -Eq -e "$1"; }
shows() { # REGEX SENTENCE
	until_true 30 on_screen "$1"
	local status=$?
	ok $status "$2"
	[ $status -eq 0 ] || show "the screen" "$(screen)"
}
names() { screen | awk 'NR > 4 && NF == 9 { sub(/^\*/, "", $1); print $1 }' | tr '\n' ' '; }
named() { [ "$(names)" = "$1" ]; }
hosts_are() { # NAMES SENTENCE
	until_true 30 named "$1"
	local status=$?
	ok $status "$2"
	[ $status -eq 0 ] || show "the screen" "$(screen)"
}
conditions_are() { "$BERTH" link --net "$NET" show | grep -Eq -e "$1"; }
until_true 10 on_screen 'sh>'
keys 'echo be''fore; "$BERTH" top --net "$NET" -d 0.3' Enter
shows '^ NAME.* ADDRESS +PROGRAM +VIA +CONV +IN/s OUT/s +RETR DROPS$' "80 columns: the hosts' titles fit"
hosts_are "client other web " "the hosts, by name"
shows '^ web +10\.77\.0\.[0-9]+ +python3 +wire +1 +[0-9.k]+ +[0-9.]+k +[0-9.k]+ +[0-9.k]+$' "… with what they send"
keys 2
shows '^ CLIENT +SERVER +STATE +VIA +UP-Q DN-Q UP/s DN/s +RTT RETR$' "the conversations' titles fit"
shows '^ client:[0-9]+ +web:80 +ESTAB +wire +.* [0-9.]+k +[^ ]+ +[^ ]+$' "… and a conversation"
keys Enter
shows 'users:\(\("python3"' "Enter: berth ss says more"
keys NPage
shows '^Why$' "… berth why as well"
shows '^client:[0-9]+ -> web:80 ESTAB' "… of this conversation"
keys q Tab
shows '^ FROM. +TO +CONDITIONS +PKT/s BYTE/s +LOSS LIMIT +CUT$' "Tab: the links' titles fit"
keys 4
shows '^ [0-9:.]{12} +(web|client) +state +' "the events"
keys 1
shows '^ NAME. ' "back at the hosts"
keys r
hosts_are "web other client " "r: the other way round"
keys r s
shows ' ADDRESS▲ ' "s: by the next column"
keys /
keys "we"
hosts_are "web " "a filter works as it is typed"
keys Escape
hosts_are "web client other " "Escape takes it away: all of them, by address"

keys l
shows 'Conditions of [a-z]+ \(both\):' "l asks for conditions"
keys Escape k k k l
keys 'delay 30ms loss 1x' Enter
shows "loss: '1x'" "what is no condition is answered with the daemon's words"
keys l
keys 'delay 30ms loss 1%' Enter
until_true 15 conditions_are '^web +\(network\) +delay 30ms loss 1%'
ok $? "conditions are set: berth link show has them"
keys 3
shows '^ web +\(network\) +delay 30ms loss 1%' "… and the view of links"
keys 1 Space p
shows 'Cut: web ! ' "p: who is marked, and the rest"
keys C-u
keys 'web ! other' Enter
until_true 15 conditions_are '^web +other +cut'
ok $? "a partition is made: berth link show has it"
shows 'web cut from other' "… and the screen says so"
keys h
shows 'everything is mended' "h heals it"
is "$("$BERTH" link --net "$NET" show | grep -c ' cut ')" 0 "… all of it"

keys g P
shows '^.web .* paused +' "P pauses a program"
keys P
shows '^.web .* wire +' "… and lets it go on"
keys c C-u
keys "$WORK/part.pcapng" Enter
shows '● capture .*part\.pcapng' "c captures, and shows that it does"
has_packets() { [ "$(stat -c %s part.pcapng 2>/dev/null || echo 0)" -gt 3000 ]; }
until_true 30 has_packets
keys C
shows '[1-9][0-9]* packets captured' "C ends it"
is "$(head -c 4 part.pcapng | od -An -tx1)" " 0a 0d 0d 0a" "… and it is pcapng"

tm resize-window -t t -x 200 -y 50
shows 'LISTENS .*DROPPED BY' "a wider terminal shows more columns"
tm resize-window -t t -x 40 -y 8
shows '^ NAME. +ADDRESS' "a small one some"
tm resize-window -t t -x 80 -y 24
shows 'RETR DROPS$' "and back"
keys q
shows '^before' "q: what was there before is there again"
keys 'clear; stty -a | grep -o " echo \| icanon"; echo "code $?"' Enter
shows '^code 0' "… and exits with 0"
is "$(screen | grep -c '^ *\(icanon\|echo\)')" 2 "… and the terminal is as it was"

# Other terminals, and signals.
# shellcheck disable=SC2046 # a number
end_it() { kill "-$1" $(ps -o pid= --ppid "$(tm display-message -p -t t '#{pane_pid}')"); }
for signal in TERM INT SEGV; do
	[ "$signal" != SEGV ] || [ -z "${BERTH_SANITIZED:-}" ] || continue
	keys "clear; echo be''fore $signal; \"\$BERTH\" top --net \"\$NET\" -d 0.3" Enter
	until_true 30 on_screen 'RETR DROPS'
	end_it "$signal"
	shows "^before $signal" "SIG$signal: the screen is given back"
	keys 'clear; stty -a | grep -c " icanon"' Enter
	shows '^1$' "… and the terminal"
done
keys 'clear; LC_ALL=C "$BERTH" top --net "$NET" -d 0.3' Enter
shows '^ NAME\^ ' "where there is no UTF-8, ASCII"
is "$(screen | LC_ALL=C grep -c '[^ -~]')" 0 "… alone"
colours() { tm capture-pane -e -p -t t | cat -v | grep -cE '\^\[\[(.*;)?3[0-7]m'; }
[ "$(colours)" -gt 0 ]
ok $? "there are colours"
keys q
keys 'clear; NO_COLOR=1 "$BERTH" top --net "$NET" -d 0.3' Enter
shows 'RETR DROPS$' "with NO_COLOR"
is "$(colours)" 0 "… there are none"
keys q
keys 'clear; echo be''\''fore; "$BERTH" top --net "$NET" -d 0.3' Enter
shows '^ web ' "again"
daemon=$("$BERTH" net inspect "$NET" | sed -n 's/^ *"pid": \([0-9]*\),\{0,1\}$/\1/p' | head -n 1)
kill -STOP "$daemon"
shows 'no answer' "a daemon that does not answer: that is said"
keys 2
shows '^ CLIENT ' "… and keys work"
keys q
shows '^before' "… q too"
kill -CONT "$daemon"
keys 'clear; TERM=dumb "$BERTH" top --net "$NET" -d 0.3' Enter
shows '^Conversations: ' "a terminal too dumb for that gets text"
keys C-c
keys 'clear; "$BERTH" top --net "$NET" -d 0.3' Enter
shows '^ web ' "once more"
for pid in "${started[@]}"; do
	stop "$pid"
done
shows "network '$NET' has ended" "the network ends, which is shown"
keys 2 s l p h Enter
start web sleep 1000
shows '^ CLIENT' "it begins again, and is shown"
keys 1
shows '^ web ' "… with its host"
keys q
shows 'sh> ?$' "q, and no trace of it is left"
tm kill-server
finish
