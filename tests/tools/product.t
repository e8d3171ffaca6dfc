#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# libberth as others get it: every header alone compiles as strict C11 and as
# C++; what `make install` lays down is enough to build a program outside this
# tree by pkg-config, shared and static; the soname and the symbols' versions
# are there; stacks in several threads share nothing, says ThreadSanitizer.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$top/build}
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
number=0

result() { # STATUS SENTENCE
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then echo "ok $number - $2"; else
		sed 's/^/# /' "$scratch/out"
		echo "not ok $number - $2"
	fi
}
skip() { # SENTENCE REASON
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

headers() { # COMPILER OPTION…
	local header
	for header in "$top"/include/berth/*.h; do
		echo "#include <berth/$(basename "$header")>" | "$@" -I"$top/include" -fsyntax-only - || return 1
	done
}
headers cc -x c -std=c11 -pedantic -Wall -Wextra -Werror >"$scratch/out" 2>&1
result $? "each header compiles by itself as C11, -pedantic"
for compiler in g++ clang++; do
	command -v "$compiler" >/dev/null || { skip "each header compiles as C++ with $compiler" "not installed"; continue; }
	headers "$compiler" -x c++ -std=c++17 -Wall -Wextra -Werror >"$scratch/out" 2>&1
	result $? "each header compiles as C++ with $compiler"
done

# A prefix of its own, in a DESTDIR, as a packager does it.
if grep -q 'b_sanitize=address' "$build/meson-info/intro-buildoptions.json" 2>/dev/null || [ -n "${BERTH_SANITIZED:-}" ]; then
	skip "an outside program builds" "this build has sanitizers in it"
	echo "1..$number"
	exit 0
fi
DESTDIR=$scratch/root meson install -C "$build" --no-rebuild >"$scratch/out" 2>&1
result $? "make install with DESTDIR"
pc=$(find "$scratch/root" -name berth.pc)
root=$scratch/root
cat >"$scratch/outside.c" <<'END'
#include <berth/berth.h>
#include <stdio.h>
int main(void)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int fds[2];
	char text[6] = "";
	if (!stack || berth_socketpair(stack, AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return 1;
	berth_send(stack, fds[0], "hello", 5, 0);
	berth_recv(stack, fds[1], text, 5, 0);
	puts(text);
	berth_stack_free(stack);
	return 0;
}
END
flags() { PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR=$root pkg-config "$@" berth; }
libdir=$(dirname "$(find "$root" -name libberth.a)")

# shellcheck disable=SC2046 # words
cc -std=c11 -o "$scratch/shared" "$scratch/outside.c" $(flags --cflags --libs) >"$scratch/out" 2>&1 &&
	LD_LIBRARY_PATH=$libdir "$scratch/shared" >"$scratch/said" 2>>"$scratch/out" && [ "$(cat "$scratch/said")" = hello ]
result $? "an outside program builds with pkg-config and the shared library, and runs"
readelf -d "$scratch/shared" >"$scratch/out" && grep -q 'libberth.so.0' "$scratch/out"
result $? "it needs libberth.so.0"
readelf -V "$scratch/shared" >"$scratch/out" 2>&1 && grep -q BERTH_0 "$scratch/out"
result $? "and its symbols with their version"
# shellcheck disable=SC2046
cc -std=c11 -o "$scratch/static" "$scratch/outside.c" $(flags --cflags) "$(flags --variable=static_library)" \
	>"$scratch/out" 2>&1 && "$scratch/static" >"$scratch/said" 2>>"$scratch/out" && [ "$(cat "$scratch/said")" = hello ]
result $? "the same with the static library"
[ -x "$scratch/static" ] && ! readelf -d "$scratch/static" | grep -q libberth
result $? "… which then is all in it"
if command -v g++ >/dev/null; then
	cp "$scratch/outside.c" "$scratch/outside.cpp"
	# shellcheck disable=SC2046
	g++ -std=c++17 -o "$scratch/cpp" "$scratch/outside.cpp" $(flags --cflags --libs) >"$scratch/out" 2>&1 &&
		LD_LIBRARY_PATH=$libdir "$scratch/cpp" >"$scratch/said" 2>>"$scratch/out" && [ "$(cat "$scratch/said")" = hello ]
	result $? "and from C++"
fi

# Four threads, each with a network of its own, under ThreadSanitizer: the library's pure half is compiled anew.
cat >"$scratch/threads.c" <<'END'
#include <berth/berth.h>
#include <pthread.h>
#include <string.h>
static void *world(void *seed)
{
	struct berth_net *net = berth_net_new(&(struct berth_net_config){ .seed = (uintptr_t)seed });
	struct berth_host *a, *b;
	struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(80) };
	static __thread char bytes[65536];
	size_t got = 0;
	if (!net || berth_net_add_host(net, "a", (struct berth_ip){ { 0 } }, NULL, &a) < 0 ||
	    berth_net_add_host(net, "b", (struct berth_ip){ { 0 } }, NULL, &b) < 0)
		return seed;
	struct berth_stack *from = berth_host_stack(a), *to = berth_host_stack(b);
	struct berth_ip ip = berth_host_ip4(b);
	memcpy(&there.sin_addr, ip.bytes + 12, 4);
	int listener = berth_socket(to, AF_INET, SOCK_STREAM, 0), fd = berth_socket(from, AF_INET, SOCK_STREAM, 0), child = -1;
	berth_bind(to, listener, (struct sockaddr *)&there, sizeof(there));
	berth_listen(to, listener, 8);
	berth_connect(from, fd, (struct sockaddr *)&there, sizeof(there));
	for (int turn = 1; turn < 300 && got < 1000000; turn++) {
		berth_net_advance(net, turn * BERTH_MSEC);
		if (child < 0)
			child = berth_accept(to, listener, NULL, NULL, 0);
		berth_send(from, fd, bytes, sizeof(bytes), 0);
		ssize_t n = child < 0 ? 0 : berth_recv(to, child, bytes, sizeof(bytes), 0);
		got += n > 0 ? (size_t)n : 0;
	}
	berth_net_free(net);
	return got >= 1000000 ? NULL : seed;
}
int main(void)
{
	pthread_t threads[4];
	int bad = 0;
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, world, (void *)(i + 1));
	for (int i = 0; i < 4; i++) {
		void *r;
		pthread_join(threads[i], &r);
		bad |= r != NULL;
	}
	return bad;
}
END
mapfile -d '' sources < <(find "$top"/src/{base,wire,core,link,net} -name '*.c' -print0)
if echo 'int main(void) { return 0; }' | cc -fsanitize=thread -x c -o "$scratch/tsan" - 2>"$scratch/out" && "$scratch/tsan" 2>>"$scratch/out"; then
	cc -fsanitize=thread -O0 -g -std=gnu11 -D_GNU_SOURCE -DBERTH_VERSION='"t"' -I"$top/include" -I"$top/src" -o "$scratch/threads" \
		"$scratch/threads.c" "${sources[@]}" -pthread >"$scratch/out" 2>&1 && "$scratch/threads" >>"$scratch/out" 2>&1
	result $? "four threads with a network each: nothing is shared"
else
	skip "four threads with a network each" "no ThreadSanitizer here"
fi
echo "1..$number"
