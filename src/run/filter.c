/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/filter.h"
#include "base/bytes.h"
#include "control/shim.h"
#include "run/kernel.h"

#include <asm/socket.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define ARGUMENT_LOW(n) (offsetof(struct seccomp_data, args) + 8 * (n)) /* little endian */
#define ARGUMENT_HIGH(n) (ARGUMENT_LOW(n) + 4)
#define OPEN_LARGE_FILE 0x8000 /* the kernel's O_LARGEFILE, which some C libraries add and 0 to others */
#define FAIL(error) (SECCOMP_RET_ERRNO | (error))

struct builder {
	struct sock_filter *code;
	size_t count;
	size_t patch; /* the jump over the block being written */
};

static void emit(struct builder *builder, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (builder->count < FILTER_MAX)
		builder->code[builder->count++] = (struct sock_filter){ code, jt, jf, k };
}

static void load(struct builder *builder, size_t offset)
{
	emit(builder, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void give(struct builder *builder, uint32_t verdict)
{
	emit(builder, BPF_RET | BPF_K, verdict, 0, 0);
}

/* Is the accumulator value? Then verdict. */
static void give_if(struct builder *builder, uint32_t value, uint32_t verdict)
{
	emit(builder, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	give(builder, verdict);
}

static void give_if_between(struct builder *builder, uint32_t low, uint32_t high, uint32_t verdict)
{
	emit(builder, BPF_JMP | BPF_JGE | BPF_K, low, 0, 2);
	emit(builder, BPF_JMP | BPF_JGT | BPF_K, high, 1, 0);
	give(builder, verdict);
}

/* What follows until block_end() is for this call only, and ends with a verdict. */
static void block_begin(struct builder *builder, uint32_t number)
{
	builder->patch = builder->count;
	emit(builder, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 0);
}

static void block_end(struct builder *builder, uint32_t verdict)
{
	give(builder, verdict);
	builder->code[builder->patch].jf = (uint8_t)(builder->count - builder->patch - 1);
}

/* Always notified: what they do depends on whose descriptor it is. io_uring_setup() is to be refused with a word. */
static const uint32_t notified[] = {
	SYS_listen, SYS_accept, SYS_shutdown, SYS_sendmmsg, SYS_recvmmsg, SYS_io_uring_setup,
};

/* The same, but for those that the shim makes. All of them can do to an AF_UNIX socket only what AF_UNIX lets them. */
static const uint32_t shimmed[] = { SYS_bind,	 SYS_getsockname, SYS_getpeername, SYS_connect,
				    SYS_accept4, SYS_sendmsg,	  SYS_recvmsg };

/* Options at SOL_SOCKET, too: what AF_UNIX itself has to say, and the one that says nothing to it (SHIM_MARK_BASE). */
static const uint32_t shimmed_gets[] = { SO_ERROR, SO_PEERCRED, SO_RCVBUF };
static const uint32_t shimmed_sets[] = { SO_RCVBUF };

/* A ring would do socket calls behind the filter's back. */
static const uint32_t refused[] = { SYS_io_uring_enter, SYS_io_uring_register };

/*
 * Ways to the real network that need no socket() here: another process' sockets,
 * and a key that the kernel has somebody outside look up (dns_resolver).
 */
static const uint32_t forbidden[] = { SYS_pidfd_getfd, SYS_request_key };

/*
 * Options at SOL_SOCKET that AF_UNIX answers otherwise than INET would, or that
 * our TCP must know of. All others are the kernel's: SO_RCVTIMEO SO_SNDTIMEO
 * SO_ACCEPTCONN SO_TIMESTAMP* SO_PRIORITY SO_COOKIE SO_MARK …
 */
static const uint32_t options[] = {
	SO_ERROR,	    SO_TYPE,	     SO_DOMAIN,	       SO_PROTOCOL,  SO_REUSEADDR,
	SO_REUSEPORT,	    SO_BINDTODEVICE, SO_BINDTOIFINDEX, SO_LINGER,    SO_RCVBUF,
	SO_SNDBUF,	    SO_RCVBUFFORCE,  SO_SNDBUFFORCE,   SO_ZEROCOPY,  SO_PEERCRED,
	SO_PEERSEC,	    SO_PEERGROUPS,   RUN_SO_PEERPIDFD, SO_KEEPALIVE, SO_BROADCAST,
	SO_OOBINLINE,	    SO_DONTROUTE,    SO_PASSCRED,      SO_PASSSEC,   SO_PEEK_OFF,
	SO_MAX_PACING_RATE, SO_RCVLOWAT,     SO_PEERNAME,      RUN_SO_INQ,   RUN_SO_PASSPIDFD,
	RUN_SO_PASSRIGHTS,
};

static void build_socket_calls(struct builder *builder)
{
	block_begin(builder, SYS_socket);
	load(builder, ARGUMENT_LOW(0));
	give_if(builder, AF_UNIX, SECCOMP_RET_ALLOW);
	block_end(builder, SECCOMP_RET_USER_NOTIF);

	/* Linux: these families have no pairs. */
	block_begin(builder, SYS_socketpair);
	load(builder, ARGUMENT_LOW(0));
	give_if(builder, AF_UNIX, SECCOMP_RET_ALLOW);
	give_if(builder, AF_INET, FAIL(EOPNOTSUPP));
	give_if(builder, AF_INET6, FAIL(EOPNOTSUPP));
	give_if(builder, AF_NETLINK, FAIL(EOPNOTSUPP));
	block_end(builder, FAIL(EAFNOSUPPORT));
}

/* The address pointer is 64 bits: both halves. */
static void build_data_call(struct builder *builder, uint32_t number)
{
	block_begin(builder, number);
	/* AF_UNIX streams ignore these flags: there is no error queue, and nothing is thrown away */
	if (number == SYS_recvfrom) {
		load(builder, ARGUMENT_LOW(3));
		emit(builder, BPF_JMP | BPF_JSET | BPF_K, MSG_ERRQUEUE | MSG_TRUNC, 0, 1);
		give(builder, SECCOMP_RET_USER_NOTIF);
	}
	load(builder, ARGUMENT_LOW(4));
	emit(builder, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3);
	load(builder, ARGUMENT_HIGH(4));
	give_if(builder, 0, SECCOMP_RET_ALLOW);
	block_end(builder, SECCOMP_RET_USER_NOTIF);
}

/* Files opened to be read, and nothing more: of /proc/net, perhaps (open.c). */
static void build_open(struct builder *builder, uint32_t number, int flags_at)
{
	block_begin(builder, number);
	load(builder, ARGUMENT_LOW(flags_at));
	emit(builder, BPF_JMP | BPF_JSET | BPF_K, ~(uint32_t)OPEN_LARGE_FILE, 0, 1);
	give(builder, SECCOMP_RET_ALLOW);
	block_end(builder, SECCOMP_RET_USER_NOTIF);
}

/* The shim's: at SOL_SOCKET, with the magic number, any of these. What follows is for all others. */
static void build_shimmed_options(struct builder *builder, const uint32_t *shimmed_options, size_t count)
{
	size_t other = 1 + 2 * count;

	load(builder, ARGUMENT_HIGH(0));
	emit(builder, BPF_JMP | BPF_JEQ | BPF_K, SHIM_MAGIC, 0, (uint8_t)(2 + other));
	load(builder, ARGUMENT_LOW(1));
	emit(builder, BPF_JMP | BPF_JEQ | BPF_K, SOL_SOCKET, 0, (uint8_t)other);
	load(builder, ARGUMENT_LOW(2));
	for (size_t i = 0; i < count; i++)
		give_if(builder, shimmed_options[i], SECCOMP_RET_ALLOW);
}

static void build_options(struct builder *builder, uint32_t number, bool shim)
{
	block_begin(builder, number);
	if (shim && number == SYS_getsockopt)
		build_shimmed_options(builder, shimmed_gets, COUNT_OF(shimmed_gets));
	else if (shim)
		build_shimmed_options(builder, shimmed_sets, COUNT_OF(shimmed_sets));
	load(builder, ARGUMENT_LOW(1));
	emit(builder, BPF_JMP | BPF_JEQ | BPF_K, SOL_SOCKET, 1, 0);
	give(builder, SECCOMP_RET_USER_NOTIF);
	load(builder, ARGUMENT_LOW(2));
	for (size_t i = 0; i < COUNT_OF(options); i++)
		give_if(builder, options[i], SECCOMP_RET_USER_NOTIF);
	block_end(builder, SECCOMP_RET_ALLOW);
}

static void build_shimmed(struct builder *builder)
{
	for (size_t i = 0; i < COUNT_OF(shimmed); i++) {
		block_begin(builder, shimmed[i]);
		load(builder, ARGUMENT_HIGH(0));
		give_if(builder, SHIM_MAGIC, SECCOMP_RET_ALLOW);
		block_end(builder, SECCOMP_RET_USER_NOTIF);
	}
}

size_t filter_build(struct sock_filter code[FILTER_MAX], bool shim)
{
	struct builder builder = { .code = code };

	load(&builder, offsetof(struct seccomp_data, arch));
	emit(&builder, BPF_JMP | BPF_JEQ | BPF_K, FILTER_AUDIT_ARCH, 1, 0);
	give(&builder, SECCOMP_RET_USER_NOTIF); /* to be refused with a word, or a 32-bit program dies without one */
	load(&builder, offsetof(struct seccomp_data, nr));
	emit(&builder, BPF_JMP | BPF_JGE | BPF_K, FILTER_FOREIGN_BIT, 0, 1);
	give(&builder, FAIL(ENOSYS));
	/* What is always let through the kernel knows without asking. What depends on its arguments is asked each time. */
	build_data_call(&builder, SYS_sendto);
	build_data_call(&builder, SYS_recvfrom);
	build_open(&builder, SYS_openat, 2);
	for (size_t i = 0; i < COUNT_OF(notified); i++)
		give_if(&builder, notified[i], SECCOMP_RET_USER_NOTIF);
	for (size_t i = 0; i < COUNT_OF(shimmed) && !shim; i++)
		give_if(&builder, shimmed[i], SECCOMP_RET_USER_NOTIF);
	if (shim)
		build_shimmed(&builder);
	for (size_t i = 0; i < COUNT_OF(refused); i++)
		give_if(&builder, refused[i], FAIL(ENOSYS));
	for (size_t i = 0; i < COUNT_OF(forbidden); i++)
		give_if(&builder, forbidden[i], FAIL(EPERM));
	build_socket_calls(&builder);
	build_options(&builder, SYS_setsockopt, shim);
	build_options(&builder, SYS_getsockopt, shim);
	build_open(&builder, SYS_open, 1);
	/* Interfaces: reached through any socket, AF_UNIX ones too. */
	block_begin(&builder, SYS_ioctl);
	load(&builder, ARGUMENT_LOW(1));
	give_if(&builder, 0x400454ca, FAIL(EPERM));	   /* TUNSETIFF: an interface of the real kernel's */
	give_if(&builder, 0x5411, SECCOMP_RET_USER_NOTIF); /* SIOCOUTQ, TIOCOUTQ */
	give_if(&builder, 0x8905, SECCOMP_RET_USER_NOTIF); /* SIOCATMARK */
	give_if(&builder, 0x890b, SECCOMP_RET_USER_NOTIF); /* SIOCADDRT */
	give_if(&builder, 0x890c, SECCOMP_RET_USER_NOTIF); /* SIOCDELRT */
	give_if_between(&builder, 0x8910, 0x89ff, SECCOMP_RET_USER_NOTIF);
	give_if_between(&builder, 0x8b00, 0x8bff, SECCOMP_RET_USER_NOTIF); /* wireless */
	block_end(&builder, SECCOMP_RET_ALLOW);
	give(&builder, SECCOMP_RET_ALLOW);
	return builder.count;
}

int filter_install(bool shim)
{
	struct sock_filter code[FILTER_MAX];
	struct sock_fprog program = { .len = (unsigned short)filter_build(code, shim), .filter = code };
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);

	return fd < 0 ? -errno : (int)fd;
}

const char *filter_unsupported(void)
{
	struct utsname system;
	unsigned major = 0, minor = 0;

	if (FILTER_AUDIT_ARCH != AUDIT_ARCH_X86_64) /* NOLINT(misc-redundant-expression): not on others */
		return "programs can be run on x86-64 only, so far";
	if (uname(&system) == 0 && sscanf(system.release, "%u.%u", &major, &minor) == 2 &&
	    (major < 5 || (major == 5 && minor < 19)))
		return "programs can be run on Linux 5.19 and later only (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)";
	return NULL;
}
