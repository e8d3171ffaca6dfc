/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packetdrill plugin, played on as the tool does it: loaded at run time, a
 * handshake by hand, a call that blocks in a second thread, virtual time.
 */
#include "tests/conformance/packetdrill.h"

#include "base/ip.h"
#include "core/ip/ip.h"
#include "tests/test.h"
#include "wire/checksum.h"
#include "wire/ip4.h"
#include "wire/tcp.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>

static struct packetdrill_interface tool;

static bool load(void)
{
	void *object = dlopen(getenv("PLUGIN"), RTLD_NOW | RTLD_LOCAL);
	void (*init)(const char *, struct packetdrill_interface *);

	if (!object) {
		test_fail(__FILE__, __LINE__, "%s", dlerror());
		return false;
	}
	*(void **)&init = dlsym(object, "packetdrill_interface_init");
	if (!init)
		return false;
	init("rcvbuf=100000", &tool);
	return true;
}

static void segment_arrives(const struct wire_tcp *tcp, size_t length)
{
	struct berth_ip from = ip_from_u32(0xc0000201), to = ip_from_u32(0xc0a80001);
	uint8_t bytes[2000] = { 0 }, *header = bytes + WIRE_IP4_LENGTH;

	length += wire_tcp_build(header, tcp);
	wire_ip4_build(bytes, &(struct wire_ip4){ .total_length = (uint16_t)(WIRE_IP4_LENGTH + length),
						  .ttl = 64,
						  .protocol = IPPROTO_TCP,
						  .source = from,
						  .destination = to });
	put_be16(header + WIRE_TCP_CHECKSUM_OFFSET,
		 checksum_finish(checksum_add(ip_pseudo_sum(from, to, IPPROTO_TCP, length), header, length)));
	tool.netdev_send(tool.userdata, bytes, WIRE_IP4_LENGTH + length);
}

/* The next segment that leaves, and when. False: none within the plugin's patience. */
static bool segment_leaves(struct wire_tcp *ret_tcp, long long *ret_time_us)
{
	uint8_t bytes[70000];
	size_t count = sizeof(bytes);

	CHECK_EQ(tool.netdev_receive(tool.userdata, bytes, &count, ret_time_us), 0);
	return count > WIRE_IP4_LENGTH &&
	       wire_tcp_parse(bytes + WIRE_IP4_LENGTH, count - WIRE_IP4_LENGTH, ret_tcp) == 0;
}

static long long now_us(void)
{
	struct timeval now;

	tool.gettimeofday(tool.userdata, &now, NULL);
	return now.tv_sec * 1000000LL + now.tv_usec;
}

static void *read_blocking(void *fd)
{
	static uint8_t bytes[100];

	return (void *)(intptr_t)tool.read(tool.userdata, *(int *)fd, bytes, sizeof(bytes));
}

TEST(plugin, plays_a_conversation_in_virtual_time)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(8080) };
	struct wire_tcp in = { .source_port = 5000,
			       .destination_port = 8080,
			       .seq = 100,
			       .flags = WIRE_TCP_SYN,
			       .window = 30000,
			       .has_mss = true,
			       .mss = 1000 };
	struct wire_tcp out;
	int listener, fd;
	long long begin, left;
	pthread_t reader;
	void *got = NULL;

	REQUIRE(load());
	listener = tool.socket(tool.userdata, AF_INET, SOCK_STREAM, 0);
	CHECK(listener >= 0);
	CHECK_EQ(tool.bind(tool.userdata, listener, (void *)&address, sizeof(address)), 0);
	CHECK_EQ(tool.listen(tool.userdata, listener, 1), 0);
	segment_arrives(&in, 0);
	REQUIRE(segment_leaves(&out, &left));
	CHECK_EQ(out.flags, WIRE_TCP_SYN | WIRE_TCP_ACK);
	in = (struct wire_tcp){ .source_port = 5000,
				.destination_port = 8080,
				.seq = 101,
				.ack = out.seq + 1,
				.flags = WIRE_TCP_ACK,
				.window = 30000 };
	begin = now_us();
	tool.usleep(tool.userdata, 100000);
	CHECK(now_us() - begin >= 100000 && now_us() - begin < 110000);
	segment_arrives(&in, 0);
	fd = tool.accept(tool.userdata, listener, NULL, NULL);
	REQUIRE(fd >= 0);
	pthread_create(&reader, NULL, read_blocking, &fd);
	tool.usleep(tool.userdata, 50000);
	segment_arrives(&in, 60);
	pthread_join(reader, &got);
	CHECK_EQ((intptr_t)got, 60);
	CHECK(segment_leaves(&out, &left));
	CHECK_EQ(out.ack, 161);
	CHECK_EQ(tool.write(tool.userdata, fd, "hello", 5), 5);
	begin = now_us();
	CHECK(segment_leaves(&out, &left));
	CHECK(left <= begin);
	CHECK(segment_leaves(&out, &left)); /* nobody acknowledges: again, later */
	CHECK(left - begin > 190000 && left - begin < 2000000);
	CHECK_EQ(tool.close(tool.userdata, fd), 0);
	CHECK_EQ(tool.close(tool.userdata, listener), 0);
	tool.free(tool.userdata);
}
