/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What packetdrill (a tool that plays scripts of packets and calls against a
 * TCP) asks of a shared object that it tests: the object exports
 * packetdrill_interface_init(), which fills in this table. Calls are POSIX's,
 * with -1 and errno; waiting goes through usleep() and gettimeofday() alone,
 * so that time may be virtual.
 */
#ifndef TESTS_CONFORMANCE_PACKETDRILL_H
#define TESTS_CONFORMANCE_PACKETDRILL_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

struct packetdrill_interface {
	void *userdata; /* the first argument of each */
	void (*free)(void *self);
	int (*socket)(void *self, int domain, int type, int protocol);
	int (*bind)(void *self, int fd, const struct sockaddr *address, socklen_t length);
	int (*listen)(void *self, int fd, int backlog);
	int (*accept)(void *self, int fd, struct sockaddr *address, socklen_t *length);
	int (*connect)(void *self, int fd, const struct sockaddr *address, socklen_t length);
	ssize_t (*read)(void *self, int fd, void *bytes, size_t size);
	ssize_t (*readv)(void *self, int fd, const struct iovec *parts, int count);
	ssize_t (*recv)(void *self, int fd, void *bytes, size_t size, int flags);
	ssize_t (*recvfrom)(void *self, int fd, void *bytes, size_t size, int flags, struct sockaddr *address,
			    socklen_t *length);
	ssize_t (*recvmsg)(void *self, int fd, struct msghdr *message, int flags);
	ssize_t (*write)(void *self, int fd, const void *bytes, size_t size);
	ssize_t (*writev)(void *self, int fd, const struct iovec *parts, int count);
	ssize_t (*send)(void *self, int fd, const void *bytes, size_t size, int flags);
	ssize_t (*sendto)(void *self, int fd, const void *bytes, size_t size, int flags, const struct sockaddr *address,
			  socklen_t length);
	ssize_t (*sendmsg)(void *self, int fd, const struct msghdr *message, int flags);
	int (*fcntl)(void *self, int fd, int command, ...);
	int (*ioctl)(void *self, int fd, unsigned long request, ...);
	int (*close)(void *self, int fd);
	int (*shutdown)(void *self, int fd, int how);
	int (*getsockopt)(void *self, int fd, int level, int option, void *value, socklen_t *length);
	int (*setsockopt)(void *self, int fd, int level, int option, const void *value, socklen_t length);
	int (*poll)(void *self, struct pollfd *fds, nfds_t count, int timeout_ms);
	/* A raw IP packet arrives; the next that leaves, with the time it left. No packet: *count is 0. */
	int (*netdev_send)(void *self, const void *bytes, size_t count);
	int (*netdev_receive)(void *self, void *bytes, size_t *count, long long *time_us);
	int (*usleep)(void *self, useconds_t us);
	int (*gettimeofday)(void *self, struct timeval *time, struct timezone *zone);
	int (*epoll_create)(void *self, int size);
	int (*epoll_ctl)(void *self, int epoll, int operation, int fd, struct epoll_event *event);
	int (*epoll_wait)(void *self, int epoll, struct epoll_event *events, int max, int timeout_ms);
	int (*pipe)(void *self, int fds[2]);
	int (*splice)(void *self, int from, loff_t *from_offset, int to, loff_t *to_offset, size_t size,
		      unsigned flags);
};

/* flags: "name=number,…", see packetdrill.c. Ends the process with a message when it can't. */
void packetdrill_interface_init(const char *flags, struct packetdrill_interface *interface);

#endif
