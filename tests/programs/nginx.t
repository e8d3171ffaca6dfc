#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: nginx
# Needs: nginx curl
# Packages: nginx-light curl
# Shows: two workers, reloaded twice under requests; sendfile; a proxy before another
# CI: yes, with sanitizers
. "$(dirname "$0")/lib.sh"

mkdir files && echo "from the server" >files/index.html && head -c 2000000 /dev/urandom >files/big
sum=$(sha256sum <files/big | cut -d' ' -f1)
start_nginx ng 8000 "$WORK/files"
is "$(on n1 curl -sS --noproxy '*' http://ng:8000/big | sha256sum | cut -d' ' -f1)" "$sum" "a download by sendfile() is whole"
(for _ in $(seq 60); do echo "url = http://ng:8000/index.html"; done) >urls
on n2 curl -sS --noproxy '*' --rate 20/s -K urls >got 2>&1 &
for _ in 1 2; do
	sleep 0.5
	kill -HUP "$(cat nginx-ng/nginx.pid)"
done
wait $!
is "$(sort got | uniq -c | tr -s ' ')" " 60 from the server" "reloaded twice, and no request lost"
until_true 10 on n3 curl -sSf --noproxy '*' -o /dev/null http://ng:8000/
mkdir -p nginx-px/tmp
sed -e "s|nginx-ng|nginx-px|g" -e 's|listen 8000 .*root.*|listen 8001; location / { proxy_pass http://ng:8000; } }|' \
	-e 's|; listen \[::\].*||' nginx-ng/nginx.conf >nginx-px/nginx.conf
start px nginx -e stderr -p "$WORK/nginx-px" -c "$WORK/nginx-px/nginx.conf"
await_port px 8001
is "$(on n4 curl -sS --noproxy '*' http://px:8001/big | sha256sum | cut -d' ' -f1)" "$sum" "as a proxy before another"
finish
