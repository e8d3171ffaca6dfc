/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP: datagrams between a program's end of a SEQPACKET pair and the stack's
 * socket. What the program sends natively goes to the connected peer;
 * addresses come by CHANNEL_SENDTO. What arrives is tagged with its source. A
 * datagram is taken off the stack only when the pair has room, so that it is
 * the stack's receive buffer that overflows, by its own limit, and counts it.
 *
 * The stack is always asked for the destination, TTL and traffic class of
 * datagrams; what of that the program itself asked for is remembered here, for
 * its getsockopt(). Picking what recvmsg() shows is the supervisor's.
 */
#include "daemon/state.h"
#include "os/fdpass.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { DATAGRAMS_A_TURN = 256 };

static const struct {
	int family, level, option;
} always_on[] = {
	{ AF_INET, IPPROTO_IP, IP_PKTINFO },
	{ AF_INET, IPPROTO_IP, IP_RECVTTL },
	{ AF_INET, IPPROTO_IP, IP_RECVTOS },
	{ AF_INET6, IPPROTO_IPV6, IPV6_RECVPKTINFO },
	{ AF_INET6, IPPROTO_IPV6, IPV6_RECVHOPLIMIT },
	{ AF_INET6, IPPROTO_IPV6, IPV6_RECVTCLASS },
	/* The stack has one flag for both levels of an AF_INET6 socket. */
	{ AF_INET6, IPPROTO_IP, IP_PKTINFO },
	{ AF_INET6, IPPROTO_IP, IP_RECVTTL },
	{ AF_INET6, IPPROTO_IP, IP_RECVTOS },
};

void datagram_open(struct plug *plug)
{
	int one = 1;

	for (size_t i = 0; i < COUNT_OF(always_on); i++)
		if (always_on[i].family == plug->domain)
			berth_setsockopt(plug->host->stack, plug->fd, always_on[i].level, always_on[i].option, &one,
					 sizeof(one));
}

static uint32_t shown_bit(const struct request *request)
{
	for (size_t i = 0; i < COUNT_OF(always_on); i++)
		if (request->plug->role == &role_datagram && always_on[i].family == request->plug->domain &&
		    always_on[i].level == request->message->level && always_on[i].option == request->message->option)
			return 1u << i;
	return 0;
}

int32_t datagram_setsockopt(struct request *request)
{
	uint32_t bit = shown_bit(request);
	int value = 0;

	if (!bit)
		return -ENOPROTOOPT;
	if (request->payload_length >= sizeof(value))
		memcpy(&value, request->payload, sizeof(value));
	else if (request->message->level != IPPROTO_IP)
		return -EINVAL;
	else if (request->payload_length)
		value = request->payload[0]; /* Linux: IP's options take a byte as well; and none, which is 0 */
	if (value)
		request->plug->shown_options |= bit;
	else
		request->plug->shown_options &= ~bit;
	return 0;
}

int32_t datagram_getsockopt(struct request *request)
{
	uint32_t bit = shown_bit(request);
	int value = !!(request->plug->shown_options & bit);
	size_t room = request->message->value < 0 ? 0 : (size_t)request->message->value;

	if (!bit)
		return -ENOPROTOOPT;
	request->reply.payload_length = (uint32_t)MIN(room, sizeof(value));
	memcpy(request->reply_payload, &value, request->reply.payload_length);
	return 0;
}

/* What the program asked the stack for goes to it as it is. SOL_SOCKET's are the kernel's, of its own socket. */
static void add_extra(const struct cmsghdr *c, struct channel_tag *tag, uint8_t extra[TAG_EXTRA_MAX])
{
	size_t size = CMSG_SPACE(c->cmsg_len - CMSG_LEN(0));

	if (c->cmsg_level == SOL_SOCKET || tag->extra_length + size > TAG_EXTRA_MAX)
		return;
	memset(extra + tag->extra_length, 0, size);
	memcpy(extra + tag->extra_length, c, c->cmsg_len);
	tag->extra_length += (uint32_t)size;
}

static void read_control(struct msghdr *message, struct channel_tag *tag, uint8_t extra[TAG_EXTRA_MAX])
{
	struct sockaddr_in destination4 = { .sin_family = AF_INET };
	struct sockaddr_in6 destination6 = { .sin6_family = AF_INET6 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		const uint8_t *data = CMSG_DATA(c);
		size_t size = c->cmsg_len - CMSG_LEN(0);
		int value = 0;
		memcpy(&value, data, MIN(size, sizeof(value)));
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO && size >= sizeof(struct in_pktinfo)) {
			struct in_pktinfo info;
			memcpy(&info, data, sizeof(info));
			destination4.sin_addr = info.ipi_addr;
			tag->link_index = (uint32_t)info.ipi_ifindex;
			tag->destination_length = sizeof(destination4);
			memcpy(tag->destination, &destination4, sizeof(destination4));
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
			   size >= sizeof(struct in6_pktinfo)) {
			struct in6_pktinfo info;
			memcpy(&info, data, sizeof(info));
			destination6.sin6_addr = info.ipi6_addr;
			tag->link_index = info.ipi6_ifindex;
			tag->destination_length = sizeof(destination6);
			memcpy(tag->destination, &destination6, sizeof(destination6));
		} else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
			   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
			tag->ttl = (uint32_t)value;
		} else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
			   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)) {
			tag->traffic_class =
				(uint32_t)(c->cmsg_type == IP_TOS && c->cmsg_level == IPPROTO_IP ? data[0] : value);
		} else {
			add_extra(c, tag, extra);
		}
	}
}

/* No descriptor is left for a tag that is kept: the spare one does for the moment that it is sent in. */
static int send_spared(struct plug *plug, const struct channel_tag *tag, const void *extra, const struct iovec *part)
{
	struct daemon *daemon = plug->host->daemon;
	int fd, r;

	spare_lend(daemon);
	fd = tag_make(tag, extra);
	r = fdpass_send(plug->end, part, 1, &fd, fd >= 0, MSG_DONTWAIT);
	if (r == -ETOOMANYREFS)
		r = fdpass_send(plug->end, part, 1, NULL, 0, MSG_DONTWAIT);
	if (fd >= 0)
		close(fd);
	spare_open(daemon);
	return r;
}

/* Returns 0 or a negative errno: -EAGAIN no room, others: lost. */
static int send_tagged(struct plug *plug, const struct channel_tag *tag, const void *extra, const void *bytes,
		       size_t length)
{
	struct iovec part = { .iov_base = (void *)bytes, .iov_len = length };
	int fd;

	if (!plug->tags)
		plug->tags = tags_new();
	if (tag->extra_length)
		fd = tag_make(tag, extra);
	else
		fd = plug->tags ? tags_get(plug->tags, tag) : -ENOMEM;
	if (fd == -EMFILE || fd == -ENFILE)
		return send_spared(plug, tag, extra, &part);
	int r = fd < 0 ? fd : fdpass_send(plug->end, &part, 1, &fd, 1, MSG_DONTWAIT);
	/* Too many descriptors under way to programs that do not read: without one
	 * the datagram is still good for those who do not ask where it came from. */
	if (r == -ETOOMANYREFS || fd < 0)
		r = fdpass_send(plug->end, &part, 1, NULL, 0, MSG_DONTWAIT);
	if (tag->extra_length && fd >= 0)
		close(fd);
	return r;
}

static bool end_has_room(struct plug *plug)
{
	struct pollfd poll_end = { .fd = plug->end, .events = POLLOUT };

	return poll(&poll_end, 1, 0) == 1 && poll_end.revents & POLLOUT;
}

/*
 * An error that poll() shows as POLLERR: Linux gives ECONNRESET to a
 * SOCK_DGRAM socket whose peer connects elsewhere with datagrams unread
 * (unix_dgram_disconnected()). So we leave it, send ourselves something to leave
 * unread, come back, leave, and come back. What was under way is sent first.
 */
static void raise_error(struct plug *plug)
{
	struct sockaddr_un own = { 0 }, program, nowhere = { .sun_family = AF_UNSPEC };
	socklen_t length = sizeof(own), program_length = plug_name(plug, &program);
	uint8_t *bytes = plug->host->daemon->scratch;

	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		ssize_t n = recv(plug->end, bytes, SCRATCH_SIZE, MSG_DONTWAIT);

		if (n < 0)
			break;
		berth_send(plug->host->stack, plug->fd, bytes, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	getsockname(plug->end, (struct sockaddr *)&own, &length);
	/* NOLINTBEGIN(bugprone-unused-return-value): where one fails the program has gone, and its end says so itself */
	connect(plug->end, (struct sockaddr *)&nowhere, sizeof(nowhere.sun_family));
	sendto(plug->end, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&own, length);
	connect(plug->end, (struct sockaddr *)&program, program_length);
	connect(plug->end, (struct sockaddr *)&nowhere, sizeof(nowhere.sun_family));
	connect(plug->end, (struct sockaddr *)&program, program_length);
	/* NOLINTEND(bugprone-unused-return-value) */
}

static void tell_error(struct plug *plug, int error)
{
	struct channel_tag tag = { .kind = TAG_ERROR, .error = error };

	plug->error = error;
	if (plug->raises)
		raise_error(plug);
	else if (plug->end >= 0)
		send_tagged(plug, &tag, NULL, "", 0);
}

static void pass_error(struct plug *plug)
{
	int error = plug_take_error(plug);

	if (error)
		tell_error(plug, error);
}

void datagram_fail(struct plug *plug, int error)
{
	tell_error(plug, error);
}

void datagram_raise_more(struct plug *plug)
{
	if (plug->raises && berth_readiness(plug->host->stack, plug->fd) & BERTH_POLLERR)
		raise_error(plug);
}

bool datagram_is_open(const struct plug *plug)
{
	struct sockaddr_un address;
	socklen_t length = plug_name(plug, &address);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool open = fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0;

	if (fd >= 0)
		close(fd);
	return open;
}

int32_t datagram_take_raising(struct request *request)
{
	struct plug *plug = request->plug;
	int type = 0;

	if (plug->role != &role_datagram || plug->end < 0 || request->fd < 0 ||
	    getsockopt(request->fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof(type) }) || type != SOCK_DGRAM)
		return -EBADF;
	loop_remove(&request->daemon->loop, &plug->watch);
	close(plug->end);
	plug->end = -1;
	plug->raises = true;
	if (plug_take_end(plug, request->fd, EPOLLIN) < 0) {
		plug_free(plug);
		request->plug = NULL;
		return -ENOMEM;
	}
	request->fd = -1;
	return 0;
}

/* One datagram from the stack to the program. Returns false when there is none. */
static bool pass_one(struct plug *plug)
{
	struct daemon *daemon = plug->host->daemon;
	struct channel_tag tag = { .kind = TAG_DATAGRAM };
	struct sockaddr_storage from;
	_Alignas(struct cmsghdr) char control[512];
	uint8_t extra[TAG_EXTRA_MAX];
	struct iovec part = { .iov_base = daemon->scratch, .iov_len = SCRATCH_SIZE };
	struct msghdr message = { .msg_name = &from,
				  .msg_namelen = sizeof(from),
				  .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	ssize_t n = berth_recvmsg(plug->host->stack, plug->fd, &message, MSG_DONTWAIT);

	if (n < 0)
		return false;
	outside_show_address(daemon, IPPROTO_UDP, plug->domain, &from, &message.msg_namelen);
	tag.source_length = (uint16_t)MIN(message.msg_namelen, sizeof(tag.source));
	memcpy(tag.source, &from, tag.source_length);
	read_control(&message, &tag, extra);
	send_tagged(plug, &tag, extra, daemon->scratch, (size_t)n);
	return true;
}

static void datagram_core_ready(struct plug *plug)
{
	struct loop *loop = &plug->host->daemon->loop;

	if (plug->end < 0)
		return;
	if (plug->raises && !datagram_is_open(plug)) { /* nobody has told us of its end */
		plug_free(plug);
		return;
	}
	if (berth_readiness(plug->host->stack, plug->fd) & BERTH_POLLERR)
		pass_error(plug);
	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		if (!end_has_room(plug)) {
			loop_change(loop, &plug->watch, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
			return;
		}
		if (!pass_one(plug)) {
			loop_change(loop, &plug->watch, EPOLLIN | EPOLLRDHUP);
			return;
		}
	}
	plug_work(plug);
}

void datagram_failed(struct plug *plug, int error)
{
	if (error != EAGAIN) /* lost as in any full queue */
		tell_error(plug, error);
}

static void send_datagram(struct plug *plug, const uint8_t *bytes, size_t length)
{
	ssize_t n = berth_send(plug->host->stack, plug->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0 || errno == EDESTADDRREQ || errno == EAGAIN)
		return;
	/* An error of an earlier datagram. The program's send() has succeeded, so this one goes now. */
	datagram_failed(plug, errno);
	berth_send(plug->host->stack, plug->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void datagram_hear(struct plug *plug)
{
	struct daemon *daemon = plug->host->daemon;
	struct pollfd poll_end = { .fd = plug->end, .events = POLLIN };
	ssize_t n;

	/* The end itself is left to datagram_end_ready(): who asks still needs the plug. */
	for (int i = 0; i < DATAGRAMS_A_TURN && plug->end >= 0; i++) {
		if (poll(&poll_end, 1, 0) != 1 || poll_end.revents != POLLIN)
			return;
		n = recv(plug->end, daemon->scratch, SCRATCH_SIZE, MSG_DONTWAIT);
		if (n < 0)
			return;
		send_datagram(plug, daemon->scratch, (size_t)n);
	}
}

/* The next datagram. With 0 *ret_ended says whether it is none, but the end: what is there has a time (plug_tune_end()). */
static ssize_t take(const struct plug *plug, uint8_t *bytes, bool *ret_ended)
{
	char control[CMSG_SPACE(sizeof(struct timeval))];
	struct iovec part = { bytes, SCRATCH_SIZE };
	struct msghdr header = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	ssize_t n = recvmsg(plug->end, &header, MSG_DONTWAIT);

	*ret_ended = n == 0 && !header.msg_controllen;
	return n;
}

static void datagram_end_ready(struct plug *plug, uint32_t events)
{
	struct daemon *daemon = plug->host->daemon;

	for (int i = 0; i < DATAGRAMS_A_TURN && events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP); i++) {
		bool ended;
		ssize_t n = take(plug, daemon->scratch, &ended);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		/* Linux: the program has closed it with something unread. That is told first; what it sent is still there. */
		if (n < 0 && errno == ECONNRESET && !plug->raises)
			continue;
		if (n < 0 || ended) {
			plug_free(plug);
			return;
		}
		send_datagram(plug, daemon->scratch, (size_t)n);
	}
	if (events & EPOLLOUT)
		plug_work(plug);
}

const struct plug_role role_datagram = { "datagram", datagram_core_ready, datagram_end_ready, NULL };
