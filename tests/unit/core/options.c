/* SPDX-License-Identifier: BSD-2-Clause */
/* Zones of link-local addresses (RFC 4007), and the options of IP that datagrams and bind() heed. */
#include "rig.h"
#include "wire/ip4.h"

#include <errno.h>
#include <netinet/ip6.h>
#include <sys/time.h>

static struct rig rig;
static struct berth_link *other; /* a's second link, to nowhere */
static unsigned left_by_other;

#define OURS "fe80::ff:fe00:1" /* on eth0, with the EUI-64 of 02:00:00:00:00:01 */
#define THEIRS "fe80::ff:fe00:2"

static void nowhere(void *context, struct berth_packet *packet)
{
	left_by_other++;
	berth_packet_unref(packet);
}

static void begin(void)
{
	struct berth_link_config config = { .name = "eth1",
					    .type = BERTH_LINK_ETHERNET,
					    .mac = { 2, 0, 0, 0, 1, 1 },
					    .flags = BERTH_LINK_NO_DAD,
					    .transmit = nowhere };

	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD);
	CHECK_EQ(berth_link_add(rig.a.stack, &config, &other), 0);
	left_by_other = 0;
}

static struct sockaddr_in6 name6(const char *ip, uint16_t port, unsigned scope)
{
	struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = scope };

	memcpy(&name.sin6_addr, rig_ip(ip).bytes, 16);
	return name;
}

static int open6(int type)
{
	return berth_socket(rig.a.stack, AF_INET6, type | SOCK_NONBLOCK, 0);
}

/* On a fresh socket if fd is -1. 0 or -errno. */
static int bind6(int fd, int type, const char *ip, unsigned scope)
{
	struct sockaddr_in6 name = name6(ip, 0, scope);

	return berth_bind(rig.a.stack, fd < 0 ? open6(type) : fd, (struct sockaddr *)&name, sizeof(name)) < 0 ? -errno
													      : 0;
}

static int connect6(int fd, int type, const char *ip, unsigned scope)
{
	struct sockaddr_in6 name = name6(ip, 9, scope);

	return berth_connect(rig.a.stack, fd < 0 ? open6(type) : fd, (struct sockaddr *)&name, sizeof(name)) < 0
		       ? -errno
		       : 0;
}

static int send6(int fd, const char *ip, unsigned scope)
{
	struct sockaddr_in6 name = name6(ip, 9, scope);
	ssize_t r = berth_sendto(rig.a.stack, fd, "x", 1, 0, (struct sockaddr *)&name, sizeof(name));

	return r < 0 ? -errno : (int)r;
}

TEST(scope, bind_and_connect_need_one_and_keep_it)
{
	static const int types[] = { SOCK_DGRAM, SOCK_STREAM };
	unsigned eth0, eth1;

	begin();
	eth0 = berth_link_index(rig.a.link);
	eth1 = berth_link_index(other);
	for (size_t i = 0; i < COUNT_OF(types); i++) { /* as the kernel was seen to answer */
		int type = types[i], went = type == SOCK_STREAM ? -EINPROGRESS : 0, fd;

		CHECK_EQ(bind6(-1, type, OURS, 0), -EINVAL);
		CHECK_EQ(bind6(-1, type, OURS, 99), -ENODEV);
		CHECK_EQ(bind6(-1, type, OURS, eth1), -EADDRNOTAVAIL);
		fd = open6(type);
		CHECK_EQ(bind6(fd, type, OURS, eth0), 0);
		CHECK_EQ(connect6(fd, type, THEIRS, eth1), -EINVAL);
		CHECK_EQ(connect6(-1, type, THEIRS, 0), -EINVAL);
		CHECK_EQ(connect6(-1, type, THEIRS, 99), -ENETUNREACH);
		CHECK_EQ(connect6(-1, type, THEIRS, eth0), went);
		fd = open6(type);
		CHECK_EQ(rig_set_int(&rig.a, fd, SOL_SOCKET, SO_BINDTOIFINDEX, (int)eth0), 0);
		CHECK_EQ(connect6(fd, type, THEIRS, 0), went);
	}
	rig_down(&rig);
}

TEST(scope, names_say_their_link)
{
	struct sockaddr_in6 name = { .sin6_port = 0 };
	socklen_t length = sizeof(name);
	int fd;

	begin();
	fd = open6(SOCK_DGRAM);
	CHECK_EQ(bind6(fd, 0, OURS, berth_link_index(rig.a.link)), 0);
	CHECK_EQ(berth_getsockname(rig.a.stack, fd, (struct sockaddr *)&name, &length), 0);
	CHECK_EQ(name.sin6_scope_id, berth_link_index(rig.a.link));
	CHECK_EQ(connect6(fd, 0, THEIRS, berth_link_index(rig.a.link)), 0);
	CHECK_EQ(berth_getpeername(rig.a.stack, fd, (struct sockaddr *)&name, &length), 0);
	CHECK_EQ(name.sin6_scope_id, berth_link_index(rig.a.link));
	fd = open6(SOCK_DGRAM);
	CHECK_EQ(bind6(fd, 0, "fd00::1", 99), 0); /* no zone, no matter */
	rig_down(&rig);
}

TEST(scope, chooses_the_link_that_is_sent_by)
{
	int fd;

	begin();
	fd = open6(SOCK_DGRAM);
	CHECK_EQ(send6(fd, THEIRS, berth_link_index(other)), 1);
	CHECK_EQ(left_by_other, 1); /* who has it? */
	CHECK_EQ(send6(fd, "ff02::1234", berth_link_index(other)), 1);
	CHECK_EQ(left_by_other, 2);
	CHECK_EQ(send6(fd, "ff02::1234", berth_link_index(rig.a.link)), 1);
	CHECK_EQ(left_by_other, 2);
	CHECK_EQ(send6(fd, THEIRS, 99), -ENETUNREACH);
	rig_down(&rig);
}

static int receiver(struct end *end, const char *ip, unsigned scope)
{
	struct sockaddr_in6 name = name6(ip, 9, scope);
	int fd = berth_socket(end->stack, AF_INET6, SOCK_DGRAM, 0);

	CHECK_EQ(berth_bind(end->stack, fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

static unsigned scope_received(struct end *end, int fd)
{
	struct sockaddr_in6 from = { .sin6_port = 0 };
	socklen_t length = sizeof(from);
	char byte;

	CHECK_EQ(berth_recvfrom(end->stack, fd, &byte, 1, 0, (struct sockaddr *)&from, &length), 1);
	return from.sin6_scope_id;
}

TEST(scope, is_told_of_what_arrives)
{
	unsigned eth0;
	int here, there, fd;

	begin();
	eth0 = berth_link_index(rig.a.link);
	there = receiver(&rig.b, THEIRS, berth_link_index(rig.b.link));
	here = receiver(&rig.a, OURS, eth0);
	fd = open6(SOCK_DGRAM);
	CHECK_EQ(send6(fd, THEIRS, eth0), 1);
	CHECK_EQ(send6(fd, OURS, eth0), 1); /* to ourselves: still within eth0's zone */
	rig_settle(&rig);
	CHECK_EQ(scope_received(&rig.b, there), berth_link_index(rig.b.link));
	CHECK_EQ(scope_received(&rig.a, here), eth0);
	rig_down(&rig);
}

static int open4(void)
{
	return berth_socket(rig.a.stack, AF_INET, SOCK_DGRAM, 0);
}

static int bind4(int fd, uint32_t ip, uint16_t port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(ip) } };

	return berth_bind(rig.a.stack, fd, (struct sockaddr *)&name, sizeof(name)) < 0 ? -errno : 0;
}

static ssize_t send4(int fd, uint32_t ip, uint16_t port, size_t size)
{
	static uint8_t bytes[4000];
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(ip) } };
	ssize_t r = berth_sendto(rig.a.stack, fd, bytes, size, 0, (struct sockaddr *)&name, sizeof(name));

	return r < 0 ? -errno : r;
}

static struct sockaddr_in local4(int fd)
{
	struct sockaddr_in name;
	socklen_t length = sizeof(name);

	CHECK_EQ(berth_getsockname(rig.a.stack, fd, (struct sockaddr *)&name, &length), 0);
	return name;
}

TEST(options, freebind_takes_an_address_that_is_not_here)
{
	static const int options[] = { IP_FREEBIND, IP_TRANSPARENT };

	begin();
	for (size_t i = 0; i < COUNT_OF(options); i++) {
		int fd = open4();

		CHECK_EQ(bind4(fd, 0x09090909, 0), -EADDRNOTAVAIL);
		CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, options[i], 1), 0);
		CHECK_EQ(bind4(fd, 0x09090909, 0), 0);
		CHECK_EQ(ntohl(local4(fd).sin_addr.s_addr), 0x09090909);
	}
	rig_down(&rig);
}

TEST(options, a_port_can_wait_until_it_is_needed)
{
	int fd;

	begin();
	fd = open4();
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1), 0);
	CHECK_EQ(bind4(fd, 0x0a000001, 0), 0);
	CHECK_EQ(local4(fd).sin_port, 0);
	CHECK_EQ(bind4(fd, INADDR_LOOPBACK, 0), 0); /* not bound in earnest yet */
	CHECK_EQ(send4(fd, INADDR_LOOPBACK, 9, 1), 1);
	CHECK(local4(fd).sin_port != 0);
	CHECK_EQ(ntohl(local4(fd).sin_addr.s_addr), INADDR_LOOPBACK);
	fd = berth_socket(rig.a.stack, AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1), 0);
	CHECK_EQ(bind4(fd, 0x0a000001, 0), 0);
	CHECK_EQ(berth_listen(rig.a.stack, fd, 1), 0);
	CHECK(local4(fd).sin_port != 0);
	CHECK_EQ(ntohl(local4(fd).sin_addr.s_addr), 0x0a000001);
	rig_down(&rig);
}

/* Which of ICMP's word and the link's MTU counts, and what becomes of what is larger: (DF, fragments) or EMSGSIZE. */
TEST(options, path_mtu_discovery_is_as_the_option_says)
{
	static const struct {
		int discover;
		ssize_t sent;
		bool dont_fragment;
	} cases[] = {
		{ IP_PMTUDISC_DONT, 2000, false },	     { IP_PMTUDISC_WANT, 2000, false },
		{ IP_PMTUDISC_DO, -EMSGSIZE, true },	     { IP_PMTUDISC_PROBE, -EMSGSIZE, true },
		{ IP_PMTUDISC_INTERFACE, -EMSGSIZE, false }, { IP_PMTUDISC_OMIT, 2000, false },
	};
	int fd;

	rig_begin(&rig, BERTH_LINK_IP, 0);
	fd = open4();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct wire_ip4 ip4 = { .ttl = 0 };
		bool small_df = cases[i].dont_fragment || cases[i].discover == IP_PMTUDISC_WANT;

		packet_queue_clear(&rig.a.sent);
		CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_MTU_DISCOVER, cases[i].discover), 0);
		CHECK_EQ(send4(fd, 0x0a000002, 9, 2000), cases[i].sent);
		CHECK_EQ(rig.a.sent.count, cases[i].sent > 0 ? 2 : 0);
		packet_queue_clear(&rig.a.sent);
		CHECK_EQ(send4(fd, 0x0a000002, 9, 100), 100);
		REQUIRE(rig.a.sent.head);
		wire_ip4_parse(rig.a.sent.head->data, rig.a.sent.head->length, &ip4);
		CHECK_EQ(ip4.dont_fragment, small_df);
	}
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_MTU_DISCOVER, 6), -EINVAL);
	rig_down(&rig);
}

TEST(options, dontfrag_keeps_ipv6_whole)
{
	static uint8_t bytes[2000];
	struct sockaddr_in6 to;
	int fd;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	to = name6("fd00::2", 9, 0);
	fd = open6(SOCK_DGRAM);
	CHECK_EQ(berth_sendto(rig.a.stack, fd, bytes, 2000, 0, (struct sockaddr *)&to, sizeof(to)), 2000);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1), 0);
	CHECK_EQ(berth_sendto(rig.a.stack, fd, bytes, 2000, 0, (struct sockaddr *)&to, sizeof(to)), -1);
	CHECK_EQ(errno, EMSGSIZE);
	rig_down(&rig);
}

/* Read a datagram at fd, and copy the control message of this kind. Its size; 0: none. */
static size_t control_of(int fd, int level, int type, void *ret_data, size_t size)
{
	char control[256], byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};

	CHECK_EQ(berth_recvmsg(rig.a.stack, fd, &message, 0), 1);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level != level || c->cmsg_type != type)
			continue;
		memcpy(ret_data, CMSG_DATA(c), MIN(size, c->cmsg_len - CMSG_LEN(0)));
		return c->cmsg_len - CMSG_LEN(0);
	}
	return 0;
}

TEST(options, timestamps_are_of_the_arrival_by_the_stacks_clock)
{
	struct timeval micro = { 0 };
	struct timespec nano = { 0 };
	int fd;

	begin();
	fd = open4();
	CHECK_EQ(bind4(fd, INADDR_LOOPBACK, 9), 0);
	CHECK_EQ(rig_set_int(&rig.a, fd, SOL_SOCKET, SO_TIMESTAMP, 1), 0);
	rig_wait(&rig, 3 * BERTH_SEC + 4005);
	send4(fd, INADDR_LOOPBACK, 9, 1);
	rig_wait(&rig, 0);
	rig_wait(&rig, BERTH_SEC);
	CHECK_EQ(control_of(fd, SOL_SOCKET, SO_TIMESTAMP, &micro, sizeof(micro)), sizeof(micro));
	CHECK_EQ(micro.tv_sec, 3);
	CHECK_EQ(micro.tv_usec, 4);
	CHECK_EQ(rig_set_int(&rig.a, fd, SOL_SOCKET, SO_TIMESTAMPNS, 1), 0); /* instead */
	send4(fd, INADDR_LOOPBACK, 9, 1);
	rig_wait(&rig, 0);
	CHECK_EQ(control_of(fd, SOL_SOCKET, SO_TIMESTAMPNS, &nano, sizeof(nano)), sizeof(nano));
	CHECK_EQ(nano.tv_sec, 4);
	CHECK_EQ(nano.tv_nsec, 4005);
	send4(fd, INADDR_LOOPBACK, 9, 1);
	rig_wait(&rig, 0);
	CHECK_EQ(control_of(fd, SOL_SOCKET, SO_TIMESTAMP, &micro, sizeof(micro)), 0);
	rig_down(&rig);
}

TEST(options, the_original_destination_is_told)
{
	struct sockaddr_in to = { .sin_port = 0 };
	int fd;

	begin();
	fd = open4();
	CHECK_EQ(bind4(fd, INADDR_ANY, 9), 0);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_RECVORIGDSTADDR, 1), 0);
	send4(fd, 0x0a000001, 9, 1);
	rig_wait(&rig, 0);
	CHECK_EQ(control_of(fd, IPPROTO_IP, IP_ORIGDSTADDR, &to, sizeof(to)), sizeof(to));
	CHECK_EQ(ntohl(to.sin_addr.s_addr), 0x0a000001);
	CHECK_EQ(ntohs(to.sin_port), 9);
	rig_down(&rig);
}

TEST(options, a_datagram_may_go_without_a_checksum)
{
	int fd;

	rig_begin(&rig, BERTH_LINK_IP, 0);
	fd = open4();
	CHECK_EQ(rig_set_int(&rig.a, fd, SOL_SOCKET, SO_NO_CHECK, 1), 0);
	CHECK_EQ(send4(fd, 0x0a000002, 9, 1), 1);
	REQUIRE(rig.a.sent.head);
	CHECK_EQ(get_be16(rig.a.sent.head->data + 26), 0);
	rig_down(&rig);
}

static int set_ip_options(int fd, const void *options, socklen_t length)
{
	return berth_setsockopt(rig.a.stack, fd, IPPROTO_IP, IP_OPTIONS, options, length) < 0 ? -errno : 0;
}

static const uint8_t record_route[] = { 7, 15, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

TEST(ip_options, are_set_and_told_as_on_linux)
{
	static const uint8_t source_route[] = { 131, 7, 4, 10, 0, 0, 9 }, cut[] = { 200, 9, 1 },
			     no_room[] = { 7, 2, 4 };
	static const uint8_t low[] = { 7, 7, 1, 0, 0, 0, 0 }, many[41] = { 0 };
	uint8_t told[40] = { 255 };
	socklen_t length = sizeof(told);
	int fd, stream;

	begin();
	fd = open4();
	stream = berth_socket(rig.a.stack, AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(set_ip_options(fd, record_route, sizeof(record_route)), 0);
	CHECK_EQ(berth_getsockopt(rig.a.stack, fd, IPPROTO_IP, IP_OPTIONS, told, &length), 0);
	CHECK_EQ(length, 16);
	CHECK_BYTES(told, record_route, sizeof(record_route));
	CHECK_EQ(set_ip_options(fd, source_route, sizeof(source_route)), -EPERM); /* Differs: nobody forwards them */
	CHECK_EQ(set_ip_options(fd, cut, sizeof(cut)), -EINVAL);
	CHECK_EQ(set_ip_options(fd, no_room, sizeof(no_room)), -EINVAL);
	CHECK_EQ(set_ip_options(fd, low, sizeof(low)), -EINVAL);
	CHECK_EQ(set_ip_options(fd, many, sizeof(many)), -EINVAL);
	CHECK_EQ(set_ip_options(fd, NULL, 0), 0);
	CHECK_EQ(berth_getsockopt(rig.a.stack, fd, IPPROTO_IP, IP_OPTIONS, told, &length), 0);
	CHECK_EQ(length, 0);
	CHECK_EQ(set_ip_options(stream, NULL, 0), 0);
	CHECK_EQ(set_ip_options(stream, record_route, sizeof(record_route)), -EOPNOTSUPP);
	rig_down(&rig);
}

TEST(ip_options, the_route_is_recorded_and_passed_up)
{
	uint8_t received[40] = { 0 };
	int fd, to;

	begin();
	to = open4();
	CHECK_EQ(bind4(to, INADDR_ANY, 9), 0);
	CHECK_EQ(rig_set_int(&rig.a, to, IPPROTO_IP, IP_RECVOPTS, 1), 0);
	fd = open4();
	CHECK_EQ(set_ip_options(fd, record_route, sizeof(record_route)), 0);
	CHECK_EQ(send4(fd, 0x0a000001, 9, 1), 1);
	rig_wait(&rig, 0);
	CHECK_EQ(control_of(to, IPPROTO_IP, IP_RECVOPTS, received, sizeof(received)), 16);
	CHECK_EQ(received[2], 12); /* by the sender and, as on Linux, by the receiver */
	CHECK_EQ(get_be32(received + 3), 0x0a000001);
	CHECK_EQ(get_be32(received + 7), 0x0a000001);
	CHECK_EQ(rig_set_int(&rig.a, to, IPPROTO_IP, IP_RETOPTS, 1), 0);
	CHECK_EQ(send4(fd, 0x0a000001, 9, 1), 1);
	rig_wait(&rig, 0);
	CHECK_EQ(control_of(to, IPPROTO_IP, IP_RETOPTS, received, sizeof(received)), 16);
	CHECK_EQ(set_ip_options(fd, NULL, 0), 0);
	CHECK_EQ(send4(fd, 0x0a000001, 9, 1), 1);
	rig_wait(&rig, 0);
	CHECK_EQ(control_of(to, IPPROTO_IP, IP_RECVOPTS, received, sizeof(received)), 0);
	rig_down(&rig);
}

/* ping -R: both ends are on the route there and back. */
TEST(ip_options, an_echo_reply_reflects_route_and_time)
{
	uint8_t request[8] = { 8 }, both[36] = { 7, 19, 4, [19] = 1, 68, 12, 5, 0 }, received[40] = { 0 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(0x0a000002) } };
	char control[256];
	struct iovec part = { request, sizeof(request) };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c;
	int fd;

	rig_begin(&rig, BERTH_LINK_IP, 0);
	rig.now = 5 * BERTH_MSEC;
	fd = berth_socket(rig.a.stack, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	CHECK_EQ(set_ip_options(fd, both, 32), 0);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_RETOPTS, 1), 0);
	CHECK_EQ(berth_sendto(rig.a.stack, fd, request, sizeof(request), 0, (struct sockaddr *)&to, sizeof(to)), 8);
	rig_settle(&rig);
	REQUIRE(berth_recvmsg(rig.a.stack, fd, &message, 0) == 8);
	c = CMSG_FIRSTHDR(&message);
	REQUIRE(c && c->cmsg_type == IP_RETOPTS && c->cmsg_len == CMSG_LEN(32));
	memcpy(received, CMSG_DATA(c), 32);
	CHECK_EQ(received[2], 20);
	CHECK_EQ(get_be32(received + 3), 0x0a000001);
	CHECK_EQ(get_be32(received + 7), 0x0a000002);
	CHECK_EQ(get_be32(received + 11), 0x0a000002);
	CHECK_EQ(get_be32(received + 15), 0x0a000001);
	CHECK_EQ(received[19], 68);
	CHECK_EQ(received[21], 13);
	CHECK_EQ(received[22] >> 4, 2); /* two found no room */
	CHECK(get_be32(received + 23) & 0x80000000);
	rig_down(&rig);
}

TEST(ip_options, later_fragments_have_only_what_is_to_be_copied)
{
	static const uint8_t options[] = { 148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0 }; /* router alert, and not so */
	struct wire_ip4 first, second;
	int fd;

	rig_begin(&rig, BERTH_LINK_IP, 0);
	fd = open4();
	CHECK_EQ(set_ip_options(fd, options, sizeof(options)), 0);
	CHECK_EQ(send4(fd, 0x0a000002, 9, 2000), 2000);
	REQUIRE(rig.a.sent.count == 2);
	wire_ip4_parse(rig.a.sent.head->data, rig.a.sent.head->length, &first);
	wire_ip4_parse(rig.a.sent.head->next->data, rig.a.sent.head->next->length, &second);
	CHECK_EQ(first.header_length, 32);
	CHECK_EQ(second.header_length, 24);
	CHECK(wire_ip4_checksum_ok(rig.a.sent.head->next->data, 24));
	CHECK_EQ(rig.a.sent.head->next->data[20], 148);
	CHECK(rig.a.sent.head->length <= 1500);
	rig_settle(&rig);
	CHECK_EQ(COUNT(&rig.b, IP_REASSEMBLED), 1);
	CHECK_EQ(COUNT(&rig.b, UDP_DROP_NO_SOCKET), 1);
	rig_down(&rig);
}

TEST(ip_options, one_message_may_have_its_own)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(0x0a000002) } };
	char control[CMSG_SPACE(4)] = { 0 }, byte = 1;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_name = &to,
				  .msg_namelen = sizeof(to),
				  .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	rig_begin(&rig, BERTH_LINK_IP, 0);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_RETOPTS;
	c->cmsg_len = CMSG_LEN(4);
	memcpy(CMSG_DATA(c), (const uint8_t[]){ 148, 4, 0, 0 }, 4);
	CHECK_EQ(berth_sendmsg(rig.a.stack, open4(), &message, 0), 1);
	REQUIRE(rig.a.sent.head);
	CHECK_EQ(rig.a.sent.head->data[0], 0x46);
	CHECK_EQ(rig.a.sent.head->data[20], 148);
	rig_down(&rig);
}
