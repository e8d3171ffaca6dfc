/* SPDX-License-Identifier: BSD-2-Clause */
/* The many ways to move bytes on a stream, and flags and messages beside them. */
#include "probe.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

static void peek_and_wait(void)
{
	int ends[2];
	char bytes[16];

	open_pair(ends);
	write(ends[0], "abc", 3);
	await(ends[1], POLLIN);
	say_count("peek", recv(ends[1], bytes, 8, MSG_PEEK));
	say_count("peek", recv(ends[1], bytes, 8, MSG_PEEK | MSG_DONTWAIT));
	if (!fork()) {
		nap(50);
		write(ends[0], "def", 3);
		_exit(0);
	}
	say_count("all", recv(ends[1], bytes, 6, MSG_WAITALL));
	say(" %.6s", bytes);
	say_result("empty", recv(ends[1], bytes, 8, MSG_DONTWAIT));
	write(ends[0], "abcdef", 6);
	await(ends[1], POLLIN);
	say_count("discard", recv(ends[1], NULL, 4, MSG_TRUNC));
	say_count("rest", recv(ends[1], bytes, 8, MSG_DONTWAIT));
	say_count("nothing", recv(ends[1], bytes, 0, MSG_DONTWAIT));
	say_count("send-nothing", send(ends[0], bytes, 0, 0));
	say_result("no-urgent", recv(ends[1], bytes, 1, MSG_OOB));
	say_result("no-error", recv(ends[1], bytes, 1, MSG_ERRQUEUE));
}

static void waiting_bytes(void)
{
	int ends[2], in = -1, out = -1;

	open_pair(ends);
	write(ends[0], "abcde", 5);
	await(ends[1], POLLIN);
	say_result("inq", ioctl(ends[1], FIONREAD, &in));
	say(" %d", in);
	for (int i = 0; i < 300 && out; i++) {
		ioctl(ends[0], SIOCOUTQ, &out);
		nap(10);
	}
	say(" outq=%d", out);
	say_result("listener", ioctl(open_listener(AF_INET, 1), FIONREAD, &in));
	in = 1;
	say_result("fionbio", ioctl(ends[1], FIONBIO, &in));
	say(" nonblock=%d", !!(fcntl(ends[1], F_GETFL) & O_NONBLOCK));
	say_result("unknown", ioctl(ends[1], 0x5499, &in));
	say_result("terminal", ioctl(ends[1], 0x5401, &in));
}

static void vectors(void)
{
	int ends[2];
	char a[3], b[8];
	struct iovec out[3] = { { (char[]){ "ab" }, 2 }, { (char[]){ "" }, 0 }, { (char[]){ "cde" }, 3 } },
		     in[2] = { { a, 3 }, { b, 8 } };
	struct mmsghdr many[2] = { { .msg_hdr = { .msg_iov = out, .msg_iovlen = 3 } },
				   { .msg_hdr = { .msg_iov = out, .msg_iovlen = 1 } } };

	open_pair(ends);
	say_count("writev", writev(ends[0], out, 3));
	await(ends[1], POLLIN);
	say_count("readv", readv(ends[1], in, 2));
	say(" %.3s|%.2s", a, b);
	say_count("sendmmsg", sendmmsg(ends[0], many, 2, 0));
	nap(50);
	many[0].msg_hdr = (struct msghdr){ .msg_iov = in, .msg_iovlen = 2 };
	say_count("recvmmsg", recvmmsg(ends[1], many, 1, MSG_DONTWAIT, NULL));
	say(" got=%u", many[0].msg_len);
	say_result("bad", syscall(SYS_write, ends[0], 1L, 1L));
	say_count("zero-count", writev(ends[0], out, 0));
	say_result("count", syscall(SYS_writev, ends[0], out, 5000L));
}

static int file_of(size_t size)
{
	char path[] = "/tmp/probe.XXXXXX";
	int fd = mkstemp(path);
	char block[4096];

	unlink(path);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(i * 7);
	for (size_t i = 0; i < size; i += sizeof(block))
		write(fd, block, sizeof(block));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void from_file(void)
{
	enum { SIZE = 1 << 20 };
	int ends[2], file = file_of(SIZE), pipes[2];
	static char bytes[SIZE];
	ssize_t total = 0, n;
	bool same = true;

	open_pair(ends);
	if (!fork()) {
		off_t at = 0;

		close(ends[1]);
		while (at < SIZE && sendfile(ends[0], file, &at, SIZE) > 0)
			;
		_exit(at == SIZE ? 0 : 1);
	}
	close(ends[0]);
	/* Half of it is read, half goes through a pipe. */
	while (total < SIZE / 2 && (n = read(ends[1], bytes + total, (size_t)(SIZE / 2 - total))) > 0)
		total += n;
	pipe(pipes);
	while (total < SIZE && (n = splice(ends[1], NULL, pipes[1], NULL, 65536, 0)) > 0)
		for (; n > 0; total += read(pipes[0], bytes + total, (size_t)n), n = 0)
			;
	for (int i = 0; i < SIZE; i++)
		same = same && bytes[i] == (char)(i % 4096 * 7);
	say(" total=%zd same=%d", total, same);
	say_count("end", splice(ends[1], NULL, pipes[1], NULL, 65536, 0));
}

static void splice_out(void)
{
	int ends[2], pipes[2];
	char bytes[16];

	open_pair(ends);
	pipe(pipes);
	write(pipes[1], "through", 7);
	say_count("splice", splice(pipes[0], NULL, ends[0], NULL, 7, 0));
	await(ends[1], POLLIN);
	say_count("read", read(ends[1], bytes, 16));
	say_result("both-sockets", splice(ends[1], NULL, ends[0], NULL, 7, 0));
	set_nonblocking(ends[1]);
	say_result("none", splice(ends[1], NULL, pipes[1], NULL, 7, SPLICE_F_NONBLOCK));
}

static void stream_names(void)
{
	int ends[2], on = 1;
	union address address = loopback(AF_INET, 9);
	char bytes[8], control[128];
	struct iovec part = { bytes, 8 };
	struct msghdr header = { .msg_name = &address,
				 .msg_namelen = sizeof(address),
				 .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control) };
	socklen_t length = sizeof(address);

	open_pair(ends);
	say_count("sendto", sendto(ends[0], "abc", 3, 0, &address.any, sizeof(address.in)));
	await(ends[1], POLLIN);
	say_count("recvfrom", recvfrom(ends[1], bytes, 1, 0, &address.any, &length));
	say(" length=%u", length);
	say_count("recvmsg", recvmsg(ends[1], &header, 0));
	say(" name=%u control=%zu flags=%x", header.msg_namelen, header.msg_controllen, header.msg_flags);
	say_result("timestamp", setsockopt(ends[1], SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)));
	write(ends[0], "d", 1);
	await(ends[1], POLLIN);
	header.msg_controllen = sizeof(control);
	say_count("recvmsg", recvmsg(ends[1], &header, MSG_DONTWAIT));
	say(" stamped=%d", header.msg_controllen > 0);
}

static void foreign_control(void)
{
	int ends[2], udp[2];
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec part = { (char[]){ "f" }, 1 };
	struct msghdr header = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};

	open_pair(ends);
	open_pair_udp(udp);
	memset(CMSG_DATA(&control.head), 0, sizeof(int));
	say_result("rights-tcp", sendmsg(ends[0], &header, 0));
	say_result("rights-udp", sendmsg(udp[0], &header, 0));
	control.head.cmsg_level = 77;
	say_result("unknown-tcp", sendmsg(ends[0], &header, 0));
	say_result("unknown-udp", sendmsg(udp[0], &header, 0));
	control.head = (struct cmsghdr){ 3, SOL_SOCKET, SCM_RIGHTS };
	say_result("short", sendmsg(udp[0], &header, 0));
}

static void large_send(void)
{
	enum { SIZE = 8 << 20 };
	int ends[2];
	static char block[SIZE];
	ssize_t total = 0, n;

	open_pair(ends);
	if (!fork()) {
		close(ends[0]);
		_exit(write(ends[1], block, SIZE) != SIZE);
	}
	close(ends[1]);
	while ((n = read(ends[0], block, SIZE)) > 0)
		total += n;
	say(" all=%d", total == SIZE);
}

static void own_unix(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX }, peer;
	socklen_t length = sizeof(peer);
	struct ucred who = { 0 };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0), accepted, type = 0;

	snprintf(address.sun_path + 1, 64, "probe-%d", getpid());
	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address.sun_path + 1));
	say_result("bind", bind(listener, (struct sockaddr *)&address, length));
	say_result("listen", listen(listener, 5));
	say_result("connect", connect(fd, (struct sockaddr *)&address, length));
	length = sizeof(peer);
	accepted = accept(listener, (struct sockaddr *)&peer, &length);
	say_result("accept", accepted);
	say(" length=%u", length);
	length = sizeof(peer);
	getpeername(fd, (struct sockaddr *)&peer, &length);
	say(" name=%d", !memcmp(peer.sun_path, address.sun_path, 7));
	length = sizeof(who);
	say_result("peercred", getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &who, &length));
	say(" me=%d", who.pid == getpid() && who.uid == getuid());
	length = sizeof(type);
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &type, &length);
	say(" domain=%d", type);
	say_result("option", setsockopt(fd, IPPROTO_TCP, 1, &type, sizeof(type)));
	say_count("write", write(fd, "x", 1));
	say_count("read", recv(accepted, &type, 4, 0));
}

const struct scenario message_scenarios[] = {
	{ "message-peek-and-wait", peek_and_wait },
	{ "message-waiting-bytes", waiting_bytes },
	{ "message-vectors", vectors },
	{ "message-from-file", from_file },
	{ "message-splice", splice_out },
	{ "message-stream-names", stream_names },
	{ "message-foreign-control", foreign_control },
	{ "message-large", large_send },
	{ "message-own-unix", own_unix },
	{ 0 },
};
