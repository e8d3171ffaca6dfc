#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: git
# Needs: git
# Packages: git
# Shows: clones over HTTP and git's own protocol, a push
. "$(dirname "$0")/lib.sh"

start_web
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
git init -q repo && cp files/big repo && git -C repo add big && git -C repo commit -qm one
git clone -q --bare repo files/repo.git && git -C files/repo.git update-server-info
on g1 git clone -q http://web/repo.git by-http
is "$(sha256sum <by-http/big | cut -d' ' -f1)" "$sum" "a clone over HTTP"
start gd git daemon --export-all --enable=receive-pack --reuseaddr --base-path="$WORK/files" --listen=0.0.0.0
await_port gd 9418
on g2 git clone -q git://gd/repo.git by-git
is "$(sha256sum <by-git/big | cut -d' ' -f1)" "$sum" "a clone over git's protocol"
echo more >by-git/more && git -C by-git add more && git -C by-git commit -qm two
on g3 git -C by-git push -q origin HEAD
is "$(git -C files/repo.git show HEAD:more)" more "a push arrives"
finish
