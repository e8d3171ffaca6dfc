/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libberth as a shared object that packetdrill tests: one stack on a link of
 * bare IP packets, in virtual time. Time passes in usleep(), while
 * netdev_receive() waits for a packet, and a microsecond at each look at the
 * clock, because the tool spins on it.
 *
 * The tool makes calls that block from a second thread. One lock guards all;
 * a call that waits lets go of it until something has changed, and whoever
 * changes something lets such calls go on before time does.
 *
 * Descriptors are those of eventfds, so that the tool may close() them.
 *
 * flags: mtu, superframe, rcvbuf, rcvbufmax, sndbuf, notsent (bytes), remote
 * (seconds that netdev_receive() waits), ecn, timestamps, syncookies, fastopen
 * (the fields of struct berth_limits), each name=number, with commas between;
 * and fastopen_key. sysctl=1: tcp_fastopen, tcp_timestamps, tcp_ecn and
 * tcp_notsent_lowat are those of the host, and may change on the way.
 */
#include "tests/conformance/packetdrill_plugin.h"

#include "base/ip.h"
#include "core/stack.h"
#include "base/packet.h"

#include <berth/berth.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>

struct plugin plugin;

static void fail(const char *what)
{
	fprintf(stderr, "packetdrill plugin: %s\n", what);
	exit(EXIT_FAILURE);
}

/* ---- time, and calls that wait ---- */

/* Something happened: calls that wait look again before we go on. */
void change(void)
{
	plugin.rechecking = plugin.waiting;
	pthread_cond_broadcast(&plugin.changed);
	while (plugin.rechecking)
		pthread_cond_wait(&plugin.settled, &plugin.lock);
}

static void advance(berth_time now)
{
	plugin.now = MAX(plugin.now, now);
	berth_stack_advance(plugin.stack, plugin.now);
	change();
}

/* Up to until, or until a packet is sent. */
static void run(berth_time until, bool stop_when_sent)
{
	while (!(stop_when_sent && plugin.sent.head)) {
		berth_time next = berth_stack_deadline(plugin.stack);

		if (next > until)
			break;
		advance(next);
	}
	if (!(stop_when_sent && plugin.sent.head))
		advance(until);
}

/* Let a call in the other thread that has come to its end get out, and the tool note its time. */
static void let_others_run(void)
{
	pthread_mutex_unlock(&plugin.lock);
	nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	pthread_mutex_lock(&plugin.lock);
}

int wait_hook(void *context, berth_time deadline)
{
	if (pthread_equal(pthread_self(), plugin.main)) { /* no one else will make it happen: time must */
		berth_time next = MIN(deadline, berth_stack_deadline(plugin.stack));

		if (next > plugin.now + plugin.patience)
			return -EINTR;
		advance(next);
		return 0;
	}
	if (plugin.now >= deadline)
		return 0;
	plugin.waiting++;
	pthread_cond_wait(&plugin.changed, &plugin.lock);
	plugin.waiting--;
	if (plugin.rechecking && !--plugin.rechecking)
		pthread_cond_signal(&plugin.settled);
	return 0;
}

static berth_time now_hook(void *context)
{
	return plugin.now;
}

static void transmit(void *context, struct berth_packet *packet)
{
	packet->stamp = plugin.now;
	packet_queue_push(&plugin.sent, packet);
}

/* ---- descriptors ---- */

static int host_fd(int berth_fd)
{
	int fd;

	if (berth_fd < 0)
		return -1;
	fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0 || fd >= FDS_MAX)
		fail("out of descriptors");
	plugin.sockets[fd] = berth_fd + 1;
	return fd;
}

bool ours(int fd)
{
	return fd >= 0 && fd < FDS_MAX && plugin.sockets[fd];
}

int socket_of(int fd)
{
	return ours(fd) ? plugin.sockets[fd] - 1 : -1;
}

/* With flag sysctl: what a script set on the host since. -1: it says nothing. */
static long sysctl_value(const char *name)
{
	char path[100];
	FILE *file;
	long value = -1;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	file = fopen(path, "r");
	if (!file)
		return -1;
	if (fscanf(file, "%li", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

static void read_sysctls(void)
{
	static const unsigned ecn[] = { BERTH_ECN_OFF, BERTH_ECN_ASK, BERTH_ECN_ACCEPT };
	struct berth_limits *limits = &plugin.stack->limits;
	long value;

	if (!plugin.sysctls)
		return;
	if ((value = sysctl_value("tcp_fastopen")) >= 0)
		limits->fastopen = value ? (unsigned)value : BERTH_FASTOPEN_OFF;
	if ((value = sysctl_value("tcp_timestamps")) >= 0)
		limits->timestamps = value ? BERTH_TIMESTAMPS_ON : BERTH_TIMESTAMPS_OFF;
	if ((value = sysctl_value("tcp_ecn")) >= 0)
		limits->ecn = ecn[MIN(value, 2)];
	if ((value = sysctl_value("tcp_notsent_lowat")) >= 0)
		limits->notsent_low_water = (unsigned)value;
}

static int do_socket(void *self, int domain, int type, int protocol)
{
	read_sysctls();
	CALL(int, host_fd(berth_socket(plugin.stack, domain, type, protocol)));
}

static int do_bind(void *self, int fd, const struct sockaddr *address, socklen_t length)
{
	CALL(int, berth_bind(plugin.stack, socket_of(fd), address, length));
}

static int do_listen(void *self, int fd, int backlog)
{
	CALL(int, berth_listen(plugin.stack, socket_of(fd), backlog));
}

static int do_accept(void *self, int fd, struct sockaddr *address, socklen_t *length)
{
	CALL(int, host_fd(berth_accept(plugin.stack, socket_of(fd), address, length, 0)));
}

static int do_connect(void *self, int fd, const struct sockaddr *address, socklen_t length)
{
	read_sysctls();
	CALL(int, berth_connect(plugin.stack, socket_of(fd), address, length));
}

static ssize_t do_recvmsg(void *self, int fd, struct msghdr *message, int flags)
{
	CALL(ssize_t, berth_recvmsg(plugin.stack, socket_of(fd), message, flags));
}

static ssize_t do_readv(void *self, int fd, const struct iovec *parts, int count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count };

	return ours(fd) ? do_recvmsg(self, fd, &message, 0) : readv(fd, parts, count);
}

static ssize_t do_read(void *self, int fd, void *bytes, size_t size)
{
	return do_readv(self, fd, &(struct iovec){ bytes, size }, 1);
}

static ssize_t do_recvfrom(void *self, int fd, void *bytes, size_t size, int flags, struct sockaddr *address,
			   socklen_t *length)
{
	CALL(ssize_t, berth_recvfrom(plugin.stack, socket_of(fd), bytes, size, flags, address, length));
}

static ssize_t do_recv(void *self, int fd, void *bytes, size_t size, int flags)
{
	return do_recvfrom(self, fd, bytes, size, flags, NULL, NULL);
}

/* As the kernel does it, a stream's blocking write goes on until all is taken. */
static ssize_t send_all(int fd, const struct msghdr *message, int flags)
{
	CALL(ssize_t, berth_sendmsg(plugin.stack, socket_of(fd), message, flags));
}

static ssize_t do_sendmsg(void *self, int fd, const struct msghdr *message, int flags)
{
	return send_all(fd, message, flags);
}

static ssize_t do_writev(void *self, int fd, const struct iovec *parts, int count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count };

	return ours(fd) ? send_all(fd, &message, 0) : writev(fd, parts, count);
}

static ssize_t do_write(void *self, int fd, const void *bytes, size_t size)
{
	return do_writev(self, fd, &(struct iovec){ (void *)bytes, size }, 1);
}

static ssize_t do_sendto(void *self, int fd, const void *bytes, size_t size, int flags, const struct sockaddr *address,
			 socklen_t length)
{
	read_sysctls();
	CALL(ssize_t, berth_sendto(plugin.stack, socket_of(fd), bytes, size, flags, address, length));
}

static ssize_t do_send(void *self, int fd, const void *bytes, size_t size, int flags)
{
	return do_sendto(self, fd, bytes, size, flags, NULL, 0);
}

static int control(int fd, int command, int argument)
{
	int flags = fcntl(fd, F_GETFL);

	if (command == F_GETFL)
		return O_RDWR | (flags & O_NONBLOCK);
	if (command != F_SETFL)
		return fcntl(fd, command, argument);
	fcntl(fd, F_SETFL, argument & O_NONBLOCK);
	return berth_set_nonblocking(plugin.stack, socket_of(fd), argument & O_NONBLOCK);
}

static int do_fcntl(void *self, int fd, int command, ...)
{
	va_list arguments;
	int argument;

	va_start(arguments, command);
	argument = va_arg(arguments, int);
	va_end(arguments);
	if (!ours(fd))
		return fcntl(fd, command, argument);
	CALL(int, control(fd, command, argument));
}

/* How much waits: in, out and not acknowledged, out and not sent. */
static int queue_length(int fd, unsigned long request, int *ret_bytes)
{
	struct berth_socket_info info;
	struct tcp_info tcp = { 0 };
	socklen_t length = sizeof(tcp);

	if (berth_socket_inspect(plugin.stack, socket_of(fd), &info) < 0) {
		errno = EBADF;
		return -1;
	}
	switch (request) {
	case SIOCATMARK:
		*ret_bytes = berth_sockatmark(plugin.stack, socket_of(fd));
		return *ret_bytes < 0 ? -1 : 0;
	case FIONREAD:
		*ret_bytes = (int)info.receive_queue;
		return 0;
	case TIOCOUTQ:
		*ret_bytes = (int)info.send_queue;
		return 0;
	case 0x894B: /* SIOCOUTQNSD */
		berth_getsockopt(plugin.stack, socket_of(fd), IPPROTO_TCP, TCP_INFO, &tcp, &length);
		*ret_bytes = 0;
		return 0;
	}
	errno = ENOTTY;
	return -1;
}

static int do_ioctl(void *self, int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (!ours(fd))
		return ioctl(fd, request, argument);
	CALL(int, queue_length(fd, request, argument));
}

static int end_socket(int fd)
{
	int berth_fd = socket_of(fd);

	plugin.sockets[fd] = 0;
	for (size_t i = 0; i < WATCHES_MAX; i++)
		if (plugin.watches[i].fd == fd)
			plugin.watches[i].fd = 0;
	return berth_close(plugin.stack, berth_fd);
}

static int do_close(void *self, int fd)
{
	bool known = ours(fd);

	if (close(fd) < 0 || !known)
		return known ? -1 : 0;
	CALL(int, end_socket(fd));
}

static int do_shutdown(void *self, int fd, int how)
{
	CALL(int, berth_shutdown(plugin.stack, socket_of(fd), how));
}

/* Linux's SO_MEMINFO, as far as bytes of payload go; the tool asks for it beside TCP_INFO. */
static int memory_info(int fd, void *value, socklen_t *length)
{
	struct berth_socket_info info;
	uint32_t words[9] = { 0 };
	socklen_t size = sizeof(words[0]);

	if (berth_socket_inspect(plugin.stack, socket_of(fd), &info) < 0) {
		errno = EBADF;
		return -1;
	}
	words[0] = info.receive_queue;
	words[5] = info.send_queue;
	berth_getsockopt(plugin.stack, socket_of(fd), SOL_SOCKET, SO_RCVBUF, &words[1], &size);
	berth_getsockopt(plugin.stack, socket_of(fd), SOL_SOCKET, SO_SNDBUF, &words[3], &size);
	*length = MIN(*length, sizeof(words));
	memcpy(value, words, *length);
	return 0;
}

/* The tool knows a longer struct tcp_info than <linux/tcp.h> may: what is not kept is zero. */
static int tcp_info(int fd, void *value, socklen_t *length)
{
	socklen_t size = *length;

	if (berth_getsockopt(plugin.stack, socket_of(fd), IPPROTO_TCP, TCP_INFO, value, length) < 0)
		return -1;
	memset((uint8_t *)value + *length, 0, size - *length);
	*length = size;
	return 0;
}

static int do_getsockopt(void *self, int fd, int level, int option, void *value, socklen_t *length)
{
	if (level == SOL_SOCKET && option == SO_MEMINFO)
		CALL(int, memory_info(fd, value, length));
	if (level == IPPROTO_TCP && option == TCP_INFO)
		CALL(int, tcp_info(fd, value, length));
	CALL(int, berth_getsockopt(plugin.stack, socket_of(fd), level, option, value, length));
}

static int do_setsockopt(void *self, int fd, int level, int option, const void *value, socklen_t length)
{
	read_sysctls();
	CALL(int, berth_setsockopt(plugin.stack, socket_of(fd), level, option, value, length));
}

/* ---- the network and the clock ---- */

static int do_netdev_send(void *self, const void *bytes, size_t count)
{
	struct berth_packet *packet;

	pthread_mutex_lock(&plugin.lock);
	read_sysctls();
	packet = berth_packet_copy(berth_stack_packets(plugin.stack), bytes, count);
	if (packet)
		berth_stack_input(plugin.stack, plugin.link, packet, plugin.now);
	change();
	let_others_run();
	pthread_mutex_unlock(&plugin.lock);
	return 0;
}

static int do_netdev_receive(void *self, void *bytes, size_t *count, long long *time_us)
{
	struct berth_packet *packet;

	pthread_mutex_lock(&plugin.lock);
	if (!plugin.sent.head)
		let_others_run(); /* a call in the other thread may be about to send */
	run(plugin.now, true);
	run(plugin.now + plugin.patience, true);
	packet = packet_queue_pop(&plugin.sent);
	*count = packet ? MIN(*count, packet->length) : 0;
	if (packet) {
		memcpy(bytes, packet->data, *count);
		*time_us = packet->stamp / BERTH_USEC;
	}
	berth_packet_unref(packet);
	pthread_mutex_unlock(&plugin.lock);
	return 0;
}

static int do_usleep(void *self, useconds_t us)
{
	pthread_mutex_lock(&plugin.lock);
	let_others_run();
	run(plugin.now + us * BERTH_USEC, false);
	let_others_run();
	pthread_mutex_unlock(&plugin.lock);
	return 0;
}

static int do_gettimeofday(void *self, struct timeval *time, struct timezone *zone)
{
	pthread_mutex_lock(&plugin.lock);
	run(plugin.now + BERTH_USEC, false);
	time->tv_sec = plugin.now / BERTH_SEC;
	time->tv_usec = plugin.now % BERTH_SEC / BERTH_USEC;
	pthread_mutex_unlock(&plugin.lock);
	return 0;
}

static int do_pipe(void *self, int fds[2])
{
	return pipe(fds);
}

static int do_splice(void *self, int from, loff_t *from_offset, int to, loff_t *to_offset, size_t size, unsigned flags)
{
	static uint8_t bytes[65536];
	ssize_t r;

	if (from_offset || to_offset) {
		errno = ESPIPE;
		return -1;
	}
	r = do_read(self, from, bytes, MIN(size, sizeof(bytes)));
	return r <= 0 ? (int)r : (int)do_write(self, to, bytes, (size_t)r);
}

static void do_free(void *self)
{
	packet_queue_clear(&plugin.sent);
	berth_stack_free(plugin.stack);
	plugin.stack = NULL;
}

/* ---- beginning ---- */

static unsigned long flag(const char *flags, const char *name, unsigned long otherwise)
{
	const char *at = flags ? strstr(flags, name) : NULL;

	while (at && at != flags && at[-1] != ',')
		at = strstr(at + 1, name);
	return at ? strtoul(at + strlen(name), NULL, 0) : otherwise;
}

/* fastopen_key=32 hexadecimal digits, as bytes. */
static void set_fastopen_key(const char *flags)
{
	const char *at = flags ? strstr(flags, "fastopen_key=") : NULL;
	uint8_t key[16];

	if (!at)
		return;
	at += strlen("fastopen_key=");
	for (size_t i = 0; i < sizeof(key); i++)
		if (sscanf(at + 2 * i, "%2hhx", &key[i]) != 1)
			fail("fastopen_key: 32 hexadecimal digits are wanted");
	berth_stack_set_fastopen_key(plugin.stack, key, sizeof(key));
}

static struct berth_ip ip(const char *text)
{
	struct berth_ip result;

	if (berth_ip_parse(text, &result) < 0)
		fail("bad address");
	return result;
}

static void open_stack(const char *flags)
{
	struct berth_stack_config config = {
		.seed = 1,
		.now = plugin.now,
		.hooks = { .wait = wait_hook, .now = now_hook },
		.limits = { .receive_buffer = (unsigned)flag(flags, "rcvbuf=", 540000),
			    .receive_buffer_max = (unsigned)flag(flags, "rcvbufmax=", 15 << 20),
			    .send_buffer = (unsigned)flag(flags, "sndbuf=", 4 << 20),
			    .ecn = (unsigned)flag(flags, "ecn=", 0),
			    .timestamps = (unsigned)flag(flags, "timestamps=", 0),
			    .syn_cookies = (unsigned)flag(flags, "syncookies=", 0),
			    .fastopen = (unsigned)flag(flags, "fastopen=", 0),
			    .notsent_low_water = (unsigned)flag(flags, "notsent=", 0) },
	};
	struct berth_link_config link = { .name = "tun0",
					  .type = BERTH_LINK_IP,
					  .mtu = (unsigned)flag(flags, "mtu=", 1500),
					  .superframe = (unsigned)flag(flags, "superframe=", 0),
					  .flags = BERTH_LINK_NO_DAD,
					  .transmit = transmit };

	plugin.stack = berth_stack_new(&config);
	if (!plugin.stack || berth_link_add(plugin.stack, &link, &plugin.link) < 0 ||
	    berth_link_add_address(plugin.link, ip("192.168.0.1"), 16) < 0 ||
	    berth_link_add_address(plugin.link, ip("fd3d:0a0b:17d6::1"), 48) < 0 ||
	    berth_route_add(plugin.stack, ip("0.0.0.0"), 0, ip_any, plugin.link) < 0 ||
	    berth_route_add(plugin.stack, ip_any, 0, ip_any, plugin.link) < 0)
		fail("no stack");
	set_fastopen_key(flags);
}

__attribute__((visibility("default"))) void packetdrill_interface_init(const char *flags,
								       struct packetdrill_interface *interface)
{
	plugin = (struct plugin){ .now = 1000000 * BERTH_SEC, .main = pthread_self() };
	plugin.sysctls = flag(flags, "sysctl=", 0);
	plugin.patience = (berth_time)flag(flags, "remote=", 4) * BERTH_SEC;
	pthread_mutex_init(&plugin.lock, NULL);
	pthread_cond_init(&plugin.changed, NULL);
	pthread_cond_init(&plugin.settled, NULL);
	open_stack(flags);
	*interface = (struct packetdrill_interface){
		NULL,		do_free,	   do_socket,	do_bind,	 do_listen,	  do_accept,
		do_connect,	do_read,	   do_readv,	do_recv,	 do_recvfrom,	  do_recvmsg,
		do_write,	do_writev,	   do_send,	do_sendto,	 do_sendmsg,	  do_fcntl,
		do_ioctl,	do_close,	   do_shutdown, do_getsockopt,	 do_setsockopt,	  do_poll,
		do_netdev_send, do_netdev_receive, do_usleep,	do_gettimeofday, do_epoll_create, do_epoll_ctl,
		do_epoll_wait,	do_pipe,	   do_splice,
	};
}
