#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: OpenSSH
# Needs: sshd ssh ssh-keygen git
# Packages: openssh-server openssh-client libnss-wrapper git
# Shows: a session with public keys, 3 MB of output, a forwarded port, sftp, git clone over ssh
. "$(dirname "$0")/lib.sh"

me=$(id -un)
# An account that may not log in does, where nss_wrapper says so; nobody is who runs this under root.
if ! getent passwd "$me" | grep -qE '(/bash|/sh)$'; then
	wrapper=$(find /usr/lib -name 'libnss_wrapper.so' 2>/dev/null | head -n 1)
	[ -n "$wrapper" ] || skip_all "$me has no shell to log in to, and libnss-wrapper is not installed"
	mkdir home
	echo "$me:x:$(id -u):$(id -g)::$WORK/home:/bin/bash" >passwd
	getent passwd | grep -v "^$me:" >>passwd
	getent group >group
	export NSS_WRAPPER_PASSWD=$WORK/passwd NSS_WRAPPER_GROUP=$WORK/group
	wrap=(env LD_PRELOAD="$wrapper")
fi
mkdir -m 700 ssh && ssh-keygen -q -t ed25519 -N '' -f ssh/host && ssh-keygen -q -t ed25519 -N '' -f ssh/id
cp ssh/id.pub ssh/authorized
printf '%s\n' "Port 2222" "HostKey $WORK/ssh/host" "StrictModes no" "PidFile none" "UsePAM no" "PasswordAuthentication no" \
	"AuthorizedKeysFile $WORK/ssh/authorized" "Subsystem sftp internal-sftp" >ssh/config
start ssh ${wrap[@]+"${wrap[@]}"} "$(command -v sshd)" -D -e -f "$WORK/ssh/config"
await_port ssh 2222
options=(-F none -i "$WORK/ssh/id" -o StrictHostKeyChecking=no -o "UserKnownHostsFile=$WORK/ssh/known" -o BatchMode=yes)
over() { on "$1" ${wrap[@]+"${wrap[@]}"} ssh -p 2222 "${options[@]}" "${@:2}"; }
is "$(over s1 "$me@ssh" 'echo here; exit 3' 2>/dev/null; echo $?)" "here
3" "a command's output and exit code"
head -c 3000000 /dev/urandom >big
sum=$(sha256sum <big | cut -d' ' -f1)
is "$(over s2 "$me@ssh" "cat $WORK/big" 2>/dev/null | sha256sum | cut -d' ' -f1)" "$sum" "3 MB from the other side"
is "$(over s3 "$me@ssh" "sha256sum" 2>/dev/null <big | cut -d' ' -f1)" "$sum" "3 MB to the other side"
echo "get $WORK/big $WORK/copy" >batch
on s4 ${wrap[@]+"${wrap[@]}"} sftp -q -P 2222 "${options[@]}" -b batch "$me@ssh" >/dev/null 2>&1
is "$(sha256sum <copy | cut -d' ' -f1)" "$sum" "sftp"
start_web
sum=$(sha256sum <big | cut -d' ' -f1) # start_web has its own
start_forward() { start fw ${wrap[@]+"${wrap[@]}"} ssh -p 2222 "${options[@]}" -N -L '0.0.0.0:8080:web:80' "$me@ssh"; }
start_forward && await_port fw 8080
is "$(on s5 "$PYTHON" -c 'import urllib.request as u; print(u.urlopen("http://fw:8080/index.html").read().decode().strip())')" \
	"from the server" "a forwarded port"
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
git init -q repo && cp big repo && git -C repo add big && git -C repo commit -qm one
export GIT_SSH_COMMAND="ssh ${options[*]}"
on s6 ${wrap[@]+"${wrap[@]}"} git clone -q "ssh://$me@ssh:2222$WORK/repo" cloned 2>git.err
is "$(sha256sum <cloned/big | cut -d' ' -f1)" "$sum" "git clone over ssh"
finish
