/* SPDX-License-Identifier: BSD-2-Clause */
/* What the filter decides, by running it here. */
#include "control/shim.h"
#include "run/filter.h"
#include "run/kernel.h"
#include "tests/test.h"

#include <asm/socket.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <sys/socket.h>

/* As the kernel does. Returns the verdict; 1 for a program that makes no sense. */
static uint32_t decide_with(const struct seccomp_data *data, bool shim)
{
	struct sock_filter code[FILTER_MAX];
	size_t count = filter_build(code, shim);
	uint32_t a = 0;

	for (size_t i = 0; i < count; i++) {
		switch (code[i].code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (code[i].k > sizeof(*data) - 4)
				return 1;
			memcpy(&a, (const char *)data + code[i].k, 4);
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			i += a == code[i].k ? code[i].jt : code[i].jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			i += a >= code[i].k ? code[i].jt : code[i].jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			i += a > code[i].k ? code[i].jt : code[i].jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			i += a & code[i].k ? code[i].jt : code[i].jf;
			break;
		case BPF_RET | BPF_K:
			return code[i].k;
		default:
			return 1;
		}
	}
	return 1;
}

static uint32_t decide(const struct seccomp_data *data)
{
	return decide_with(data, false);
}

static uint32_t verdict(int number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a4)
{
	struct seccomp_data data = { .nr = number, .arch = AUDIT_ARCH_X86_64, .args = { a0, a1, a2, 0, a4 } };

	return decide(&data);
}

#define NOTIFY SECCOMP_RET_USER_NOTIF
#define ALLOW SECCOMP_RET_ALLOW
#define FAILS(error) (SECCOMP_RET_ERRNO | (error))

TEST(filter, fits)
{
	struct sock_filter code[FILTER_MAX];
	size_t count = filter_build(code, false);

	CHECK(count > 50);
	CHECK(count < FILTER_MAX);
}

TEST(filter, the_magic_number_opens_seven_calls_and_only_with_the_shim)
{
	for (int number = 0; number < 512; number++) {
		struct seccomp_data data = { .nr = number, .arch = AUDIT_ARCH_X86_64, .args = { 3, 1, 2, 0, 1 } };
		uint32_t usual = decide_with(&data, true);
		bool opened = number == SYS_sendmsg || number == SYS_recvmsg || number == SYS_getsockname ||
			      number == SYS_bind || number == SYS_connect || number == SYS_accept4 ||
			      number == SYS_getpeername;

		CHECK_EQ(usual, decide_with(&data, false));
		data.args[0] |= (uint64_t)SHIM_MAGIC << 32;
		CHECK_EQ(decide_with(&data, false), usual);
		CHECK_EQ(decide_with(&data, true), opened ? ALLOW : usual);
	}
}

TEST(filter, the_magic_number_opens_some_options_and_only_with_the_shim)
{
	for (int option = 0; option < 128; option++)
		for (int level = 0; level < 300; level++)
			for (int i = 0; i < 2; i++) {
				int number = i ? SYS_setsockopt : SYS_getsockopt;
				struct seccomp_data data = { .nr = number,
							     .arch = AUDIT_ARCH_X86_64,
							     .args = { 3, (unsigned)level, (unsigned)option } };
				uint32_t usual = decide_with(&data, true);
				bool opened =
					level == SOL_SOCKET &&
					(option == SO_RCVBUF || (!i && (option == SO_ERROR || option == SO_PEERCRED)));

				CHECK_EQ(usual, decide_with(&data, false));
				data.args[0] |= (uint64_t)SHIM_MAGIC << 32;
				CHECK_EQ(decide_with(&data, false), usual);
				CHECK_EQ(decide_with(&data, true), opened ? ALLOW : usual);
			}
}

TEST(filter, other_architectures_calls_never_pass)
{
	struct seccomp_data data = { .nr = 102, .arch = AUDIT_ARCH_I386 };

	CHECK_EQ(decide(&data), NOTIFY);
	CHECK_EQ(verdict(0x40000000 | SYS_socket, AF_INET, 1, 0, 0), FAILS(ENOSYS));
	CHECK_EQ(verdict(-1, 0, 0, 0, 0), FAILS(ENOSYS));
}

TEST(filter, only_unix_sockets_are_native)
{
	CHECK_EQ(verdict(SYS_socket, AF_UNIX, 1, 0, 0), ALLOW);
	CHECK_EQ(verdict(SYS_socket, UINT64_C(0x100000000) | AF_UNIX, 1, 0, 0), ALLOW); /* the kernel takes an int */
	for (int family = 0; family < 64; family++)
		if (family != AF_UNIX)
			CHECK_EQ(verdict(SYS_socket, (uint64_t)family, 1, 0, 0), NOTIFY);
	CHECK_EQ(verdict(SYS_socketpair, AF_UNIX, 1, 0, 0), ALLOW);
	CHECK_EQ(verdict(SYS_socketpair, AF_INET, 1, 0, 0), FAILS(EOPNOTSUPP));
	CHECK_EQ(verdict(SYS_socketpair, AF_PACKET, 1, 0, 0), FAILS(EAFNOSUPPORT));
}

TEST(filter, other_ways_to_real_sockets_are_closed)
{
	CHECK_EQ(verdict(SYS_pidfd_getfd, 3, 3, 0, 0), FAILS(EPERM));
	CHECK_EQ(verdict(SYS_request_key, 0, 0, 0, 0), FAILS(EPERM));
	CHECK_EQ(verdict(SYS_ioctl, 3, 0x400454ca, 0, 0), FAILS(EPERM)); /* TUNSETIFF */
}

TEST(filter, data_path_is_native)
{
	static const int calls[] = { SYS_read,	 SYS_write, SYS_readv,	    SYS_writev, SYS_sendfile,
				     SYS_splice, SYS_poll,  SYS_epoll_wait, SYS_close,	SYS_dup2,
				     SYS_fcntl,	 SYS_fork,  SYS_execve,	    SYS_ptrace };

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		CHECK_EQ(verdict(calls[i], ~0ull, ~0ull, ~0ull, ~0ull), ALLOW);
	CHECK_EQ(verdict(SYS_sendto, 3, 0, 0, 0), ALLOW);
	CHECK_EQ(verdict(SYS_recvfrom, 3, 0, 0, 0), ALLOW);
}

TEST(filter, addresses_are_notified_whichever_half_of_the_pointer_is_set)
{
	CHECK_EQ(verdict(SYS_sendto, 3, 0, 0, 1), NOTIFY);
	CHECK_EQ(verdict(SYS_sendto, 3, 0, 0, UINT64_C(1) << 32), NOTIFY);
	CHECK_EQ(verdict(SYS_recvfrom, 3, 0, 0, 1), NOTIFY);
	CHECK_EQ(verdict(SYS_recvfrom, 3, 0, 0, UINT64_C(1) << 63), NOTIFY);
}

TEST(filter, options_go_where_they_are_known)
{
	CHECK_EQ(verdict(SYS_setsockopt, 3, 6, 1, 0), NOTIFY);
	CHECK_EQ(verdict(SYS_getsockopt, 3, SOL_SOCKET, SO_ERROR, 0), NOTIFY);
	CHECK_EQ(verdict(SYS_setsockopt, 3, SOL_SOCKET, SO_REUSEADDR, 0), NOTIFY);
	CHECK_EQ(verdict(SYS_setsockopt, 3, SOL_SOCKET, SO_PASSSEC, 0), NOTIFY);
	CHECK_EQ(verdict(SYS_setsockopt, 3, SOL_SOCKET, SO_RCVTIMEO, 0), ALLOW);
	CHECK_EQ(verdict(SYS_getsockopt, 3, SOL_SOCKET, SO_ACCEPTCONN, 0), ALLOW);
}

TEST(filter, interfaces_and_rings_do_not_leak)
{
	CHECK_EQ(verdict(SYS_ioctl, 3, 0x5411, 0, 0), NOTIFY); /* SIOCOUTQ */
	CHECK_EQ(verdict(SYS_ioctl, 3, 0x8905, 0, 0), NOTIFY); /* SIOCATMARK */
	CHECK_EQ(verdict(SYS_ioctl, 3, 0x541b, 0, 0), ALLOW);  /* FIONREAD */
	CHECK_EQ(verdict(SYS_ioctl, 3, 0x890f, 0, 0), ALLOW);
	CHECK_EQ(verdict(SYS_ioctl, 3, 0x8910, 0, 0), NOTIFY);
	CHECK_EQ(verdict(SYS_ioctl, 3, 0x8946, 0, 0), NOTIFY);
	CHECK_EQ(verdict(SYS_ioctl, 3, 0x89ff, 0, 0), NOTIFY);
	CHECK_EQ(verdict(SYS_ioctl, 3, 0x8a00, 0, 0), ALLOW);
	CHECK_EQ(verdict(SYS_ioctl, 3, 0x8b01, 0, 0), NOTIFY);
	CHECK_EQ(verdict(SYS_ioctl, 3, 0x541b, 0, 0), ALLOW); /* FIONREAD */
	CHECK_EQ(verdict(SYS_io_uring_setup, 1, 0, 0, 0), NOTIFY);
}

TEST(filter, only_plain_reading_of_files_is_asked_about)
{
	CHECK_EQ(verdict(SYS_openat, AT_FDCWD, 0x1000, O_RDONLY, 0), NOTIFY);
	CHECK_EQ(verdict(SYS_openat, AT_FDCWD, 0x1000, 0x8000, 0), NOTIFY); /* O_LARGEFILE, of musl and i386's libc */
	CHECK_EQ(verdict(SYS_open, 0x1000, O_RDONLY, 0, 0), NOTIFY);
	CHECK_EQ(verdict(SYS_openat, AT_FDCWD, 0x1000, O_RDONLY | O_CLOEXEC, 0), ALLOW);
	CHECK_EQ(verdict(SYS_openat, AT_FDCWD, 0x1000, O_WRONLY | O_CREAT, 0), ALLOW);
	CHECK_EQ(verdict(SYS_openat, AT_FDCWD, 0x1000, O_RDONLY | O_DIRECTORY, 0), ALLOW);
}
