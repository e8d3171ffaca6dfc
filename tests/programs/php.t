#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: PHP-FPM behind nginx
# Needs: php-fpm8.2 php nginx curl
# Packages: php-fpm php-cli nginx-light curl
# Shows: FastCGI over TCP to another host, a posted body, streams and sockets
. "$(dirname "$0")/lib.sh"

mkdir files fpm && cat >files/sum.php <<'END'
<?php echo hash('sha256', file_get_contents('php://input')), ' ', $_SERVER['REMOTE_ADDR'], "\n";
END
cat >fpm/conf <<END
[global]
error_log = /dev/stderr
daemonize = no
[www]
listen = 0.0.0.0:9000
pm = static
pm.max_children = 2
END
start fpm php-fpm8.2 -n -F -y "$WORK/fpm/conf"
await_port fpm 9000
start_web
start_nginx ng 8000 "$WORK/files"
sed -i 's|root \(.*\); }|root \1; location ~ \\.php$ { fastcgi_pass fpm:9000; fastcgi_param SCRIPT_FILENAME '"$WORK"'/files$fastcgi_script_name; fastcgi_param REQUEST_METHOD $request_method; fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param REMOTE_ADDR $remote_addr; } }|; s|default_type|client_max_body_size 9m; default_type|' nginx-ng/nginx.conf
stop "${started[-1]}"
start ng nginx -e stderr -p "$WORK/nginx-ng" -c "$WORK/nginx-ng/nginx.conf"
await_port ng 8000
like "$(on p1 curl -sS --noproxy '*' --data-binary @files/big http://ng:8000/sum.php)" "^$sum (10\.|fd)" "a posted body goes through nginx to PHP"
is "$(on p2 php -n -r 'echo strlen(file_get_contents("http://web/big"));')" 2000000 "PHP's streams"
finish
