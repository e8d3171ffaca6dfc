#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# berth up, down, config, scenario and test: networks from files, and what is said of files that make no sense.
. "$(dirname "$0")/lib.sh"

cat >berth.yaml <<END
name: $NET
services:
  app:
    command: sh -c 'echo "\$\$WHO \$\$PWD"; exec "$PYTHON" -m http.server 80'
    working_dir: sub
    environment:
      WHO: \${NOBODY:-somebody}
    depends_on:
      prepare: {condition: service_completed_successfully}
    healthcheck:
      test: [CMD, curl, -sf, http://127.0.0.1/page]
      interval: 100ms
      retries: 100
    networks:
      default:
        ipv4_address: 10.77.0.50
  prepare:
    command: [sh, -c, "sleep 0.3; echo hello >sub/page"]
  client:
    command: sh -c "curl -s http://app/page; sleep 1000"
    depends_on:
      app:
        condition: service_healthy
links:
  - between: [client, app]
    conditions: delay 10ms
x-mine: {anything: goes}
END
mkdir sub

is "$("$BERTH" config --services | tr '\n' ' ')" "prepare app client " "config: services in the order they start"
"$BERTH" config >once.yaml
is "$("$BERTH" config -f once.yaml | diff once.yaml - && echo same)" same "… what it prints says the same again"
"$BERTH" up -d 2>up.log
is "$?/$(tr '\n' ' ' <up.log)" "0/prepare started app started client started " "up -d"
said() { "$BERTH" logs --net "$NET" "$1" | grep -q "$2"; } # HOST PATTERN
net_gone() { ! "$BERTH" ps --net "$NET" >/dev/null 2>&1; }
until_true 10 said client hello
like "$("$BERTH" logs --net "$NET" client)" hello "who waits for a healthy service finds it"
is "$("$BERTH" logs --net "$NET" app | head -n 1)" "somebody $WORK/sub" "environment, with a default, and directory"
like "$("$BERTH" ps --net "$NET")" "^app +10\.77\.0\.50 " "the address that was asked for"
like "$("$BERTH" link show --net "$NET" client app)" "^client +app +delay 10ms" "a link's conditions"
"$BERTH" up -d 2>up.log
is "$?/$(grep -c started up.log)" "0/1" "up again starts only what does not run"
"$BERTH" down 2>down.log
is "$?/$(tr '\n' ' ' <down.log)" "0/client ended app ended prepare ended " "down, the other way round"
until_true 10 net_gone
"$BERTH" down
is "$?" 0 "down twice"

# In the foreground, until somebody interrupts.
(exec "$BERTH" up >fore.log 2>&1) &
until_true 20 grep -qs 'client *| hello' fore.log
like "$(cat fore.log)" "^app     \| somebody " "up in the foreground shows what all say"
kill -INT $!
wait $!
like "$(cat fore.log)" "app ended" "… and ends them when it is interrupted"

# A scenario and a nemesis.
cat >net.yaml <<END
name: $NET
services:
  a: {command: sleep 1000}
  b: {command: sleep 1000}
  c: {command: sleep 1000}
scenario:
  steps:
    - {at: 100ms, link: a out delay 40ms}
    - {after: 100ms, partition: "a ! b,c"}
    - {after: 100ms, exec: "a -- touch $WORK/touched"}
    - {after: 100ms, heal: true}
    - {reset: a}
END
"$BERTH" up -d -f net.yaml 2>/dev/null
"$BERTH" scenario -f net.yaml --seed 7 run >played.log
is "$?" 0 "scenario run"
is "$(tail -n +2 played.log)" "   0.100s  link set a out delay 40ms
   0.200s  partition a ! b,c
   0.300s  exec a -- touch $WORK/touched
   0.400s  heal
   0.400s  link reset a" "… does its steps in order"
is "$(test -e touched && echo yes)/$("$BERTH" events --net "$NET" --kinds link | grep -c 'cut\|delay\|mend\|reset')" "yes/$("$BERTH" events --net "$NET" --kinds link | wc -l)" "… really"
"$BERTH" down -f net.yaml 2>/dev/null
printf '  nemesis:\n    faults: [partition, loss, delay, cut, rate]\n    until: 2m\n' >>net.yaml
"$BERTH" scenario -f net.yaml --seed 7 show >one
"$BERTH" scenario -f net.yaml --seed 7 show >two
"$BERTH" scenario -f net.yaml --seed 8 show >three
[ "$(wc -l <one)" -gt 20 ] && cmp -s one two && ! cmp -s one three
ok $? "a nemesis: the same seed draws the same faults, another others"
is "$(cut -c1-9 one | tail -n +2 | sort -n -c && echo sorted)" sorted "… in order of time"

# berth test
"$BERTH" test -f once.yaml --keep kept -- curl -s http://app/page >test.out 2>test.err
is "$?/$(cat test.out)/$(cat test.err)/$(ls kept 2>/dev/null)" "0/hello//" "test: what went well leaves nothing"
"$BERTH" test -f once.yaml --keep kept -- sh -c 'curl -s http://app/page; exit 7' >/dev/null 2>test.err
is "$?/$(ls kept | tr '\n' ' ')" "7/app.log capture.pcapng client.log events.jsonl prepare.log " "… what failed is kept"
like "$(cat test.err)" "failed \(exit code 7\); what happened is in kept" "… and it says where"
like "$(cat kept/app.log)" "GET /page" "… the logs"
like "$(cat kept/events.jsonl)" '"kind":"call".*"host":"test".*"what":"connect"' "… the journal"
is "$(head -c 4 kept/capture.pcapng | od -An -tx1)/$([ "$(wc -c <kept/capture.pcapng)" -gt 1000 ] && echo packets)" " 0a 0d 0d 0a/packets" "… the packets"

# Files that make no sense.
bad() { # PATTERN SENTENCE; the file on stdin
	cat >bad.yaml
	"$BERTH" config -f bad.yaml >out 2>err
	is "$?/$(grep -c . err)/$(cat out)" "125/1/" "$2: exit code 125, and one line"
	like "$(cat err)" "^berth config: bad\.yaml:$1" "… which says where and what"
}
bad "3: service a: unknown key 'comand' \(known: command, " "a slip" <<<$'services:\n  a:\n    comand: x'
bad " it is empty" "nothing" <<<''
bad "[0-9]+: " "no YAML" <<<$'services: [\n  a: b'
bad "1: the file: names with values" "a list" <<<'[1, 2]'
bad "1: services: what is to run" "no services" <<<'name: x'
bad "3: ports: '80': two ports" "one port" <<<$'services:\n  a: {command: x,\n    ports: ["80"]}'
bad " line 2: service a: depends_on goes in a circle" "a circle" <<<$'services:\n  a: {command: x, depends_on: [b]}\n  b: {command: x, depends_on: [a]}'
bad " line 2: service a: depends_on: there is no service 'z'" "a dependency that is none" <<<$'services:\n  a: {command: x, depends_on: [z]}'
bad " line 3: link: there is no service 'z'" "a link to nobody" <<<$'services:\n  a: {command: x}\nlinks: [{between: [a, z], conditions: cut}]'
bad "2: link: conditions: rate: 'fast' is not a rate" "conditions that are none" <<<$'services: {a: {command: x}}\nlinks: [{between: [a], conditions: rate fast}]'
bad "2: service a: command: what is it to run" "no command" <<<$'services:\n  a: {environment: {A: 1}}'
bad "2: service 'A_b': it becomes a host's name" "a name that is none" <<<$'services:\n  A_b: {command: x}'
bad "3: faults: 'rain' is none of" "a fault that is none" <<<$'services: {a: {command: x}, b: {command: x}}\nscenario:\n  nemesis: {faults: [rain]}'
bad "4: step: it comes before" "time that runs backwards" <<<$'services: {a: {command: x}}\nscenario: {steps: [\n  {at: 2s, heal: true},\n  {at: 1s, heal: true}]}'
bad "1: '\\\$\{': a variable" "a variable that is none" <<<'services: {a: {command: "${"}}'
is "$("$BERTH" config -f nowhere.yaml 2>&1; echo $?)" "berth config: nowhere.yaml: No such file or directory
125" "no such file"
finish
