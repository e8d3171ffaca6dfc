/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shim: a small object that `berth run --shim` (or --express) has ld.so put
 * before libc. It makes natively in the program, past the filter
 * (control/shim.h), some calls that would otherwise be notifications. What is
 * on the sockets is the same either way, so a program, its static children
 * and its threads may use both by turns: where the shim does not know better
 * it makes the call that libc would have made.
 *
 * It lives in any program, of glibc or musl: it needs nothing of libc but
 * errno, allocates nothing, takes no locks and may be called from a signal's
 * handler. What it remembers of descriptors it checks with the kernel before
 * it acts on it (SO_COOKIE names an open socket for as long as the kernel runs),
 * because programs close and reuse numbers behind its back.
 */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H

#include "control/shim.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define SHIM_EXPORT __attribute__((visibility("default")))

/* A call as the kernel answers it: a result or -errno. */
static inline long raw(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* The descriptor of a call that the filter is to let through. */
static inline long native(int fd)
{
	return (long)((uint64_t)SHIM_MAGIC << 32 | (uint32_t)fd);
}

/* calls.c */
/* As libc returns it, with errno. */
long finish(long result);
/* The same call again and again where it was interrupted before it began: descriptors.c */
long unbroken(long number, long a, long b, long c, long d, long e);
/* The same call where pthread_cancel() may end the thread meanwhile. pthreads(7) */
long waiting(long number, long a, long b, long c, long d, long e, long f);
int64_t clock_ms(void);

/* memory.c: pointers that the program may have wrong, which the kernel would refuse with EFAULT. */
bool readable(const void *at, size_t length);
/* May change what is there: only for what is to be overwritten. length is at least 4. */
bool writable(void *at, size_t length);

/* descriptors.c: what a number is now. */
/* The socket's name in this kernel for good, or 0. */
uint64_t cookie_of(int fd);
/* The number in the name of fd, a socket of Berth's of this type and protocol, or of its peer. 0: it is none. */
uint64_t name_of(int fd, bool peer, const char type[4], int *ret_domain);
/* Is the socket with this cookie, open as fd, one of Berth's for UDP? AF_INET, AF_INET6, or 0. */
int is_udp(int fd, uint64_t cookie);
/* Was fd, when socket() gave it, one for UDP? Only worth a look then. */
bool may_be_udp(int fd);

/* spin.c */
/* recvfrom() without an address, or recvmsg(), of a UDP socket: as waiting(), and awake for a moment where that pays. */
long spin_receive(long number, int fd, long b, long c, long d);
/* fd is a new socket. */
void spin_forget(int fd);

/* names.c: stream sockets made here. Returns one, or -1: it is the supervisor's to make, and its errors to tell. */
int names_socket(int domain, int flags);
/* The supervisor has made fd, a stream socket. */
void names_made(int fd);

/* A place that is the process' own, half a page of zeros at first and after fork(). NULL: none yet. */
void *names_page(void);
/* How many numbers there are from id on, with those that the program will take next. 0: id is not of these. */
uint32_t names_after(uint64_t id);

/* express.c: stream sockets */
/* fd has been connected, or accepted, natively. */
void express_note(int fd);
/* The number in the name of fd, a stream socket of Berth's, or of its peer. 0: it is none. */
uint64_t express_name(int fd, bool peer, int *ret_domain);
/* SHIM_MARK_* */
int express_mark(int fd);
void express_set_mark(int fd, int mark);
/* It is one of those, and the option was set. */
bool express_setsockopt(int fd, int level, int option, const void *value, socklen_t length);
/* It is one of those, and its error is the kernel's to tell. */
bool express_has_error(int fd, int level, int option);

/* tickets.c */
/* Connect fd natively. Returns 1: not here. */
long tickets_connect(int fd, const struct sockaddr *address, socklen_t length);
/* fd is a new stream socket. */
void tickets_new(int fd);
/* The supervisor has connected one. */
void tickets_connected(const struct sockaddr *address, socklen_t length);

/* accept.c */
/* Something was changed at fd, which may be a listener. */
void accept_forget(int fd);

/* flow.c: where what is sent from a socket to an address goes straight. */
enum { FLOW_NUMBERS_BEGIN = 32, FLOW_NUMBERS_END = 16384 }; /* the shim's own descriptors are between */

struct flow;
/* Find it, asking for it when it is time. NULL: nowhere, let the kernel have it. Else flow_release() it. */
struct flow *flow_get(int fd, uint64_t cookie, const void *address, socklen_t length);
void flow_release(struct flow *flow);
/*
 * Returns length, also where the receiver's queue is full, which loses it as
 * UDP does; or -1: it did not go, and has to go the other way.
 */
long flow_send(struct flow *flow, const struct iovec *parts, size_t count, size_t length);
/* Something was changed at the socket: ask again. */
void flows_forget(uint64_t cookie);
/* Is fd the shim's own, and none that the program knows of? */
bool flow_owns(int fd);
/* The program puts something else in fd's place. */
void flow_lose(int fd);

#endif
