/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets: POSIX-shaped calls on a stack. A descriptor is an index into its
 * stack's table, the lowest free one as POSIX has it, and has nothing to do
 * with the kernel's descriptors. Constants and structs are <sys/socket.h>'s.
 *
 * Each call returns what its POSIX namesake returns; on failure that is -1,
 * with errno set. Errors are Linux's. A call never blocks unless the stack was
 * given a wait hook (stack.h); without one, or with BERTH_O_NONBLOCK or
 * MSG_DONTWAIT, it fails with EAGAIN or EINPROGRESS instead. SIGPIPE does not
 * exist here: EPIPE is all there is. All memory passed in stays the caller's
 * and is not kept past the call.
 *
 * UDP: UDP_SEGMENT (option and control message) cuts a send into datagrams of
 * that many bytes, which pass as one packet where the link takes it
 * (BERTH_LINK_UDP_RUNS); UDP_GRO lets a read give several of one sender, as many
 * as the buffer holds, with a control message that says their length. udp(7).
 *
 * Link-local IPv6 addresses belong to a link: sin6_scope_id, its berth_link_index(),
 * is heeded in all calls and told by them (RFC 4007). SO_TIMESTAMP and
 * SO_TIMESTAMPNS tell when a datagram arrived, by the stack's clock.
 *
 * IP_OPTIONS, IP_RECVOPTS and IP_RETOPTS: ip(7); source routes can't be set.
 *
 * UDP-Lite (RFC 3828) is SOCK_DGRAM with IPPROTO_UDPLITE; UDPLITE_SEND_CSCOV and
 * UDPLITE_RECV_CSCOV say how much the checksum covers. udplite(7).
 *
 * Multicast: the IP_MULTICAST_* and IPV6_MULTICAST_* options, IP_ADD_MEMBERSHIP
 * and its kin, IPV6_JOIN_GROUP, and RFC 3678's MCAST_JOIN_GROUP family with
 * source filters, as in ip(7) and ipv6(7). Interfaces are berth_link_index()es.
 * Routers on the link are told by IGMPv3 (RFC 3376) and MLDv2 (RFC 3810), or
 * by the older versions where an old router asks; on links with
 * BERTH_LINK_NO_DAD, of an address's own solicited-node group only when they
 * ask. Our own multicasts and broadcasts come back to us (IP_MULTICAST_LOOP).
 *
 * Local sockets, AF_UNIX: SOCK_STREAM, SOCK_SEQPACKET and SOCK_DGRAM between
 * the sockets of one stack, with struct sockaddr_un (<sys/un.h>), pathnames and
 * abstract names, and unix(7)'s results. Names live in the stack: no file is
 * made, and a pathname stays until berth_unlink(). What is written is charged to
 * the writer's SO_SNDBUF until it is read. Descriptors are not passed by
 * SCM_RIGHTS (EINVAL), nor credentials: a stack has one owner, for whom a
 * descriptor's number means the same everywhere, and may be sent as data. No
 * MSG_OOB (EOPNOTSUPP). A socket that found a backlog or queue full (EAGAIN)
 * becomes writable when it may try again.
 *
 * Source: POSIX.1-2017 <sys/socket.h>, socket(7), ip(7), tcp(7), udp(7), unix(7).
 */
#ifndef BERTH_SOCKET_H
#define BERTH_SOCKET_H

#include <berth/types.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct berth_packet;
struct berth_stack;

/* Readiness, with poll(2)'s meanings and values. */
enum {
	BERTH_POLLIN = 0x001,
	BERTH_POLLPRI = 0x002,
	BERTH_POLLOUT = 0x004,
	BERTH_POLLERR = 0x008,
	BERTH_POLLHUP = 0x010,
	BERTH_POLLRDHUP = 0x2000,
};

/* Options of Berth's own, at level BERTH_SOL; values are int. */
enum {
	BERTH_SOL = 0x4252,
	/*
	 * Set before bind(): this socket gets what the stack's own sockets, and no
	 * one else, send to its port. Bound to a wildcard address, at any address
	 * that no link of the stack reaches directly, and at those of the stack;
	 * bound to one address, at that, whosever it is. Another socket that is
	 * bound there goes first, and there is no conflict with any. A name
	 * service's stub listens so.
	 * Answers come from the address that was asked: of a TCP connection, or of
	 * the datagram that was last received from where one is sent to.
	 * A datagram may be sent from any address (IP_PKTINFO), for answers that
	 * come later.
	 */
	BERTH_DIVERT = 1,
	/*
	 * Of a TCP socket that is bound: besides its port, it waits at every port that
	 * nobody else waits at. For listeners of a BERTH_LINK_INTERCEPT link, mostly.
	 */
	BERTH_ANY_PORT = 2,
};

/*
 * Open a socket. type may carry SOCK_NONBLOCK (SOCK_CLOEXEC is ignored).
 *
 * SOCK_DGRAM with IPPROTO_ICMP (AF_INET) or IPPROTO_ICMPV6 (AF_INET6) sends
 * ICMP echo requests and gets the replies, from the ICMP header on; the
 * identifier is the local port (Linux: icmp(7)). SOCK_RAW with any protocol
 * but 0 is raw(7): IP_HDRINCL, ICMP_FILTER, and RFC 3542's IPV6_CHECKSUM and
 * ICMP6_FILTER. A stack asks no one for privileges: that is its embedder's task.
 * Errors: EAFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT, EMFILE (the limit),
 * ENOMEM. POSIX: socket().
 */
BERTH_EXPORT int berth_socket(struct berth_stack *stack, int domain, int type, int protocol);

/*
 * Two local sockets, connected with each other. domain is AF_UNIX, type as in
 * berth_socket(). Errors: EAFNOSUPPORT, EPROTONOSUPPORT, EOPNOTSUPP (domain is
 * another), ESOCKTNOSUPPORT, EMFILE, ENOMEM, EFAULT. POSIX: socketpair().
 */
BERTH_EXPORT int berth_socketpair(struct berth_stack *stack, int domain, int type, int protocol, int ret_fds[2]);

/*
 * Remove a local socket's pathname: it may be bound anew, connections that were
 * made by it stay. Error: ENOENT. POSIX: unlink().
 */
BERTH_EXPORT int berth_unlink(struct berth_stack *stack, const char *path);

/*
 * Give the socket its local address and port; port 0 picks one (RFC 6056).
 * Errors: EBADF, EINVAL (bound already, or length), EADDRINUSE,
 * EADDRNOTAVAIL, EAFNOSUPPORT; ENOSPC (local names: as many as descriptors).
 * POSIX: bind().
 */
BERTH_EXPORT int berth_bind(struct berth_stack *stack, int fd, const struct sockaddr *address, socklen_t length);
/* Errors: EBADF, EOPNOTSUPP, EINVAL, EADDRINUSE. POSIX: listen(). */
BERTH_EXPORT int berth_listen(struct berth_stack *stack, int fd, int backlog);
/*
 * Take the oldest finished connection. The ready hook is not called for what
 * the new descriptor is ready for already: ask berth_readiness(). address and length may be NULL; flags:
 * SOCK_NONBLOCK. Errors: EBADF, EINVAL (not listening), EOPNOTSUPP, EAGAIN,
 * EMFILE. POSIX: accept(); Linux: accept4().
 */
BERTH_EXPORT int berth_accept(struct berth_stack *stack, int fd, struct sockaddr *address, socklen_t *length,
			      int flags);
/*
 * Connect; AF_UNSPEC dissolves. Errors: EBADF, EINPROGRESS, EALREADY, EISCONN,
 * ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL (no port
 * left), EAFNOSUPPORT. Local sockets: ENOENT, ECONNREFUSED, EPROTOTYPE, EAGAIN
 * (backlog full), EPERM (a datagram socket that hears another). POSIX: connect().
 */
BERTH_EXPORT int berth_connect(struct berth_stack *stack, int fd, const struct sockaddr *address, socklen_t length);

/* Flags: MSG_DONTWAIT MSG_MORE MSG_NOSIGNAL MSG_CONFIRM MSG_OOB (TCP: the last byte is urgent). Errors as in POSIX: send(), Linux: send(2). */
BERTH_EXPORT ssize_t berth_send(struct berth_stack *stack, int fd, const void *bytes, size_t size, int flags);
BERTH_EXPORT ssize_t berth_sendto(struct berth_stack *stack, int fd, const void *bytes, size_t size, int flags,
				  const struct sockaddr *address, socklen_t length);
BERTH_EXPORT ssize_t berth_sendmsg(struct berth_stack *stack, int fd, const struct msghdr *message, int flags);
/*
 * Flags: MSG_DONTWAIT MSG_PEEK MSG_TRUNC MSG_WAITALL MSG_OOB. 0 is end of stream. POSIX: recv().
 *
 * MSG_OOB reads TCP's urgent byte, which BERTH_POLLPRI tells of, and never
 * waits: EINVAL if there is none, or SO_OOBINLINE leaves it in the stream;
 * EAGAIN if only word of it came. Other reads stop before it. tcp(7), RFC 6093.
 *
 * berth_recvmsg() with MSG_ERRQUEUE reads the errors that IP_RECVERR and
 * IPV6_RECVERR collect for UDP, ping and raw sockets: struct sock_extended_err
 * (<linux/errqueue.h>) and who complained in a control message, the payload
 * that was the cause, and whom it was sent to. It never waits: EAGAIN. ip(7).
 */
BERTH_EXPORT ssize_t berth_recv(struct berth_stack *stack, int fd, void *bytes, size_t size, int flags);
BERTH_EXPORT ssize_t berth_recvfrom(struct berth_stack *stack, int fd, void *bytes, size_t size, int flags,
				    struct sockaddr *address, socklen_t *length);
BERTH_EXPORT ssize_t berth_recvmsg(struct berth_stack *stack, int fd, struct msghdr *message, int flags);
/*
 * Send and receive without copying through memory of the caller's (TCP).
 *
 * send: the packet's data goes behind what was sent before, all of it or
 * nothing (EAGAIN). On success the packet is the socket's, offsets and all, and
 * is let go of when the peer has acknowledged its last byte or the conversation
 * is over; on failure it stays the caller's. A berth_packet_wrap() lends memory
 * and says when it is free again. Flags and errors: berth_send()'s; EINVAL: it
 * is empty; EOPNOTSUPP: not TCP.
 *
 * recv: takes what came next as the packet that it came in, of at least a byte
 * and any length: the caller's, to read and berth_packet_unref(). It counts
 * against the pool's memory until then, no longer against the socket's.
 * Returns its length; 0 is end of stream. Flags: MSG_DONTWAIT.
 */
BERTH_EXPORT ssize_t berth_send_packet(struct berth_stack *stack, int fd, struct berth_packet *packet, int flags);
BERTH_EXPORT ssize_t berth_recv_packet(struct berth_stack *stack, int fd, struct berth_packet **ret_packet, int flags);

/*
 * 1 when the byte to be read next is the urgent one, or would be if it had not
 * been read already; else 0. Errors: EBADF, ENOTTY (not TCP). POSIX: sockatmark().
 */
BERTH_EXPORT int berth_sockatmark(struct berth_stack *stack, int fd);

/* how: SHUT_RD, SHUT_WR, SHUT_RDWR. Errors: EBADF, ENOTCONN, EINVAL. */
BERTH_EXPORT int berth_shutdown(struct berth_stack *stack, int fd, int how);
/*
 * Give the descriptor back. A TCP conversation ends in the background, by FIN,
 * or by RST when unread data is thrown away (RFC 2525 §2.17) or SO_LINGER says 0.
 */
BERTH_EXPORT int berth_close(struct berth_stack *stack, int fd);
/* End a connection with a RST (RFC 9293 §3.10.5) and give the descriptor back. */
BERTH_EXPORT int berth_abort(struct berth_stack *stack, int fd);

/*
 * The name of this end, or of the other. length: in, the room at address; out,
 * what the name takes, which may be more. Errors: EBADF, EFAULT, ENOTCONN (no
 * peer). POSIX: getsockname(), getpeername().
 */
BERTH_EXPORT int berth_getsockname(struct berth_stack *stack, int fd, struct sockaddr *address, socklen_t *length);
BERTH_EXPORT int berth_getpeername(struct berth_stack *stack, int fd, struct sockaddr *address, socklen_t *length);
/* Errors: EBADF, ENOPROTOOPT, EINVAL, EDOM. An option that is not there fails; none is ignored. */
BERTH_EXPORT int berth_setsockopt(struct berth_stack *stack, int fd, int level, int option, const void *value,
				  socklen_t length);
BERTH_EXPORT int berth_getsockopt(struct berth_stack *stack, int fd, int level, int option, void *value,
				  socklen_t *length);
/* Make calls on fd return at once (true) or wait by the wait hook (false). */
BERTH_EXPORT int berth_set_nonblocking(struct berth_stack *stack, int fd, bool on);

/* What fd is ready for now: BERTH_POLL* bits; -1 and EBADF. POSIX: poll(). */
BERTH_EXPORT int berth_readiness(struct berth_stack *stack, int fd);

struct berth_ready {
	int fd;
	unsigned events;
};
/*
 * Take up to max descriptors whose readiness rose since they were last
 * reported here. Costs O(number returned). Returns how many.
 */
BERTH_EXPORT int berth_poll(struct berth_stack *stack, struct berth_ready *ret_ready, int max);

#ifdef __cplusplus
}
#endif
#endif
