#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: MariaDB
# Needs: mariadbd mariadb mariadb-install-db
# Packages: mariadb-server mariadb-client
# Shows: a table filled and read over TCP by two clients, a transaction's isolation
. "$(dirname "$0")/lib.sh"

mariadb-install-db --no-defaults --datadir="$WORK/db" --auth-root-authentication-method=normal --skip-test-db >install.log 2>&1
printf '%s\n' "grant all on *.* to 'me'@'%' identified by 'secret';" "create database shop;" >init.sql
start db mariadbd --no-defaults --datadir="$WORK/db" --socket="$WORK/db.sock" --bind-address='*' --port=3306 \
	--innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=32M --skip-name-resolve --init-file="$WORK/init.sql"
await_port db 3306
sql() { on "q$RANDOM" mariadb --no-defaults -h db -u me -psecret -N -B shop -e "$1"; }
sql 'create table t (i int primary key, s varchar(2000))'
(echo 'insert into t values'; for i in $(seq 1999); do echo "($i, repeat('x', 1000)),"; done; echo "(2000, 'last')") >fill.sql
on fill mariadb --no-defaults -h db -u me -psecret shop <fill.sql
is "$(sql 'select count(*), sum(i) from t')" "2000	2001000" "2000 rows are there"
is "$(sql 'select s from t' | wc -c)" 2001004 "and 2 MB come back"
like "$(sql 'select substring_index(host, ":", 1) from information_schema.processlist where id = connection_id()')" "^(10\.|fd)" \
	"the server sees who asks"
sql 'start transaction; delete from t; select sleep(0.2); rollback' >/dev/null &
is "$(sql 'select count(*) from t')" 2000 "a transaction that is not committed is nobody's"
wait $!
finish
