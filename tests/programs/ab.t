#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: ab
# Needs: ab nginx
# Packages: apache2-utils nginx-light
# Shows: 1000 requests by 20, each a connection, and kept
. "$(dirname "$0")/lib.sh"

mkdir files && echo "from the server" >files/index.html
start_nginx ng 8000 "$WORK/files"
said=$(on a ab -q -n 1000 -c 20 http://ng:8000/index.html 2>&1)
like "$said" "Complete requests: +1000" "1000 connections"
like "$said" "Failed requests: +0" "none fails"
like "$(on a2 ab -q -k -n 1000 -c 20 http://ng:8000/index.html 2>&1)" "Keep-Alive requests: +1000" "1000 requests over kept ones"
finish
