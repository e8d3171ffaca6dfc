#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: Apache
# Needs: apache2 curl
# Packages: apache2 curl
# Shows: mpm_event, downloads, 200 requests by 10 at a time, a graceful restart
. "$(dirname "$0")/lib.sh"

mkdir files && echo "from the server" >files/index.html && head -c 2000000 /dev/urandom >files/big
sum=$(sha256sum <files/big | cut -d' ' -f1)
modules=/usr/lib/apache2/modules
cat >apache.conf <<END
ServerRoot $WORK
ServerName ap
PidFile $WORK/apache.pid
DefaultRuntimeDir $WORK
Mutex pthread
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule dir_module $modules/mod_dir.so
StartServers 2
ThreadsPerChild 8
MaxRequestWorkers 32
Listen 8080
DocumentRoot $WORK/files
ErrorLog /dev/stderr
<Directory $WORK/files>
Require all granted
</Directory>
END
start ap apache2 -DFOREGROUND -f "$WORK/apache.conf"
await_port ap 8080
is "$(on a1 curl -sS --noproxy '*' http://ap:8080/big | sha256sum | cut -d' ' -f1)" "$sum" "a download is whole"
is "$(on a2 curl -sS --noproxy '*' -Z --parallel-max 10 'http://ap:8080/index.html?[1-200]' 2>/dev/null | sort | uniq -c | tr -s ' ')" \
	" 200 from the server" "200 requests by 10 at a time"
kill -USR1 "$(cat apache.pid)"
until_true 10 grep -q 'resuming normal operations' ap.log
is "$(on a3 curl -sS --noproxy '*' --retry 5 --retry-connrefused http://ap:8080/)" "from the server" "after a graceful restart, too"
finish
