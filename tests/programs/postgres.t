#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: PostgreSQL
# Needs: initdb postgres psql pgbench
# Packages: postgresql-15 postgresql
# Shows: psql, pgbench's 200 transactions by 4 clients, a cancelled query, 3 MB by COPY
. "$(dirname "$0")/lib.sh"

initdb -D pg -A trust -U me --no-sync >/dev/null
echo "host all all all trust" >>pg/pg_hba.conf
start pg postgres -D "$WORK/pg" -h '*' -k "$WORK" -c fsync=off
await_port pg 5432
sql() { on "q$RANDOM" psql -qAth pg -U me postgres "$@"; }
until_true 10 sql -c 'select 1' >/dev/null 2>&1
is "$(sql -c 'select sum(i) from generate_series(1, 1000) i')" 500500 "psql asks"
on init pgbench -qih pg -U me postgres >/dev/null 2>&1
like "$(on bench pgbench -h pg -U me -c 4 -j 2 -t 50 postgres 2>&1)" "actually processed: 200/200" "pgbench's 200 transactions"
is "$(sql -c 'select count(*) from pgbench_history')" 200 "are all there"
is "$(sql -c 'copy (select repeat(md5(i::text), 30) from generate_series(1, 3000) i) to stdout' | wc -c)" 2883000 "3 MB by COPY"
like "$(sql -c "set statement_timeout = 100; select pg_sleep(20)" 2>&1)" "canceling statement" "a query is cancelled"
like "$(sql -c 'select host(client_addr) from pg_stat_activity where pid = pg_backend_pid()')" "^(10\.|fd)" "the server sees who asks"
finish
