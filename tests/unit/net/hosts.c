/* SPDX-License-Identifier: BSD-2-Clause */
/* Hosts on a network: names, addresses, and that they talk. */
#include "net/network.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <berth/socket.h>
#include <errno.h>

static struct berth_net *given_net(void)
{
	return berth_net_new(&(struct berth_net_config){ .seed = 7 });
}

static struct berth_host *given_host(struct berth_net *net, const char *name)
{
	struct berth_host *host = NULL;

	CHECK_EQ(berth_net_add_host(net, name, ip_any, NULL, &host), 0);
	return host;
}

static struct sockaddr_in at(const char *ip, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, ip, &address.sin_addr);
	return address;
}

TEST(hosts, addresses_are_given_out_in_order)
{
	struct berth_net *net = given_net();
	char text[BERTH_IP_STRLEN];

	REQUIRE(net);
	struct berth_host *a = given_host(net, "a"), *b = given_host(net, "b");
	REQUIRE(a && b);
	CHECK_STR(berth_ip_format(berth_host_ip4(a), text), "10.77.0.2");
	CHECK_STR(berth_ip_format(berth_host_ip6(b), text), "fd77::3");
	berth_net_remove_host(a);
	CHECK_STR(berth_ip_format(berth_host_ip4(given_host(net, "c")), text), "10.77.0.2");
	berth_net_free(net);
}

TEST(hosts, name_and_address_are_unique_and_valid)
{
	struct berth_net *net = given_net();
	struct berth_host *host;
	struct berth_ip ip;

	REQUIRE(net && given_host(net, "web"));
	CHECK_EQ(berth_net_add_host(net, "WEB", ip_any, NULL, &host), -EEXIST);
	berth_ip_parse("10.77.0.2", &ip);
	CHECK_EQ(berth_net_add_host(net, "x", ip, NULL, &host), -EADDRINUSE);
	berth_ip_parse("10.78.0.2", &ip);
	CHECK_EQ(berth_net_add_host(net, "x", ip, NULL, &host), -EINVAL);
	berth_ip_parse("10.77.255.255", &ip);
	CHECK_EQ(berth_net_add_host(net, "x", ip, NULL, &host), -EINVAL);
	berth_ip_parse("10.77.0.0", &ip);
	CHECK_EQ(berth_net_add_host(net, "x", ip, NULL, &host), -EINVAL);
	CHECK_EQ(berth_net_add_host(net, "", ip_any, NULL, &host), -EINVAL);
	CHECK_EQ(berth_net_add_host(net, "-a", ip_any, NULL, &host), -EINVAL);
	CHECK_EQ(berth_net_add_host(net, "a.b", ip_any, NULL, &host), -EINVAL);
	CHECK_EQ(berth_net_add_host(net, "localhost", ip_any, NULL, &host), -EINVAL);
	berth_ip_parse("fd77::9", &ip);
	CHECK_EQ(berth_net_add_host(net, "six", ip, NULL, &host), 0);
	berth_net_free(net);
}

TEST(hosts, subnet_can_be_full)
{
	struct berth_net_config config = { .subnet4_length = 29 };
	struct berth_host *host;
	char name[] = "a";

	berth_ip_parse("192.168.9.0", &config.subnet4);
	struct berth_net *net = berth_net_new(&config);
	REQUIRE(net);
	for (; name[0] < 'f'; name[0]++) /* .2 … .6 */
		CHECK_EQ(berth_net_add_host(net, name, ip_any, NULL, &host), 0);
	CHECK_EQ(berth_net_add_host(net, name, ip_any, NULL, &host), -ENOSPC);
	berth_net_free(net);
}

TEST(hosts, senseless_networks_are_not_made)
{
	struct berth_net_config config = { .subnet4_length = 31 };

	CHECK(!berth_net_new(&config));
	config = (struct berth_net_config){ .mtu = 100 };
	CHECK(!berth_net_new(&config));
	config = (struct berth_net_config){ .name = "no good" };
	CHECK(!berth_net_new(&config));
}

TEST(hosts, datagram_crosses_the_switch)
{
	struct berth_net *net = given_net();
	char bytes[16] = "";

	REQUIRE(net);
	struct berth_stack *a = berth_host_stack(given_host(net, "a")), *b = berth_host_stack(given_host(net, "b"));
	int from = berth_socket(a, AF_INET, SOCK_DGRAM, 0), to = berth_socket(b, AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in address = at("10.77.0.3", 9);
	REQUIRE(berth_bind(b, to, (struct sockaddr *)&address, sizeof(address)) == 0);
	CHECK_EQ(berth_sendto(a, from, "hello", 5, 0, (struct sockaddr *)&address, sizeof(address)), 5);
	berth_net_advance(net, 1);
	CHECK_EQ(berth_recv(b, to, bytes, sizeof(bytes), 0), 5);
	CHECK_STR(bytes, "hello");
	berth_net_free(net);
}

TEST(hosts, connection_crosses_the_switch_and_ends)
{
	struct berth_net *net = given_net();
	char bytes[16] = "";

	REQUIRE(net);
	struct berth_stack *a = berth_host_stack(given_host(net, "a")), *b = berth_host_stack(given_host(net, "b"));
	int client = berth_socket(a, AF_INET, SOCK_STREAM, 0), server = berth_socket(b, AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = at("10.77.0.3", 80);
	REQUIRE(berth_bind(b, server, (struct sockaddr *)&address, sizeof(address)) == 0);
	REQUIRE(berth_listen(b, server, 5) == 0);
	CHECK_EQ(berth_connect(a, client, (struct sockaddr *)&address, sizeof(address)), -1);
	CHECK_EQ(errno, EINPROGRESS);
	berth_net_advance(net, 1);
	CHECK(berth_readiness(a, client) & BERTH_POLLOUT);
	int accepted = berth_accept(b, server, NULL, NULL, 0);
	REQUIRE(accepted >= 0);
	CHECK_EQ(berth_send(a, client, "hello", 5, 0), 5);
	berth_net_advance(net, 2);
	CHECK_EQ(berth_recv(b, accepted, bytes, sizeof(bytes), 0), 5);
	berth_close(a, client);
	berth_net_advance(net, 3);
	CHECK_EQ(berth_recv(b, accepted, bytes, sizeof(bytes), 0), 0);
	berth_net_free(net);
}

static size_t dns_query_for_b(uint8_t *bytes)
{
	static const uint8_t query[] = { 0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'b', 0, 0, 1, 0, 1 };

	memcpy(bytes, query, sizeof(query));
	return sizeof(query);
}

TEST(resolver, answers_at_any_far_address_and_at_loopback)
{
	static const char *const servers[] = { "8.8.8.8", "127.0.0.53", "192.168.1.1" };
	struct berth_net *net = given_net();

	REQUIRE(net);
	struct berth_stack *a = berth_host_stack(given_host(net, "a"));
	given_host(net, "b");
	for (size_t i = 0; i < COUNT_OF(servers); i++) {
		uint8_t bytes[512];
		struct sockaddr_in address = at(servers[i], 53), from = { 0 };
		socklen_t length = sizeof(from);
		int fd = berth_socket(a, AF_INET, SOCK_DGRAM, 0);
		CHECK_EQ(berth_sendto(a, fd, bytes, dns_query_for_b(bytes), 0, (struct sockaddr *)&address,
				      sizeof(address)),
			 19);
		berth_net_advance(net, 1);
		CHECK_EQ(berth_recvfrom(a, fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &length), 19 + 16);
		CHECK_EQ(from.sin_addr.s_addr, address.sin_addr.s_addr);
		CHECK_BYTES(bytes + 19 + 12, "\12\115\0\3", 4);
		berth_close(a, fd);
	}
	berth_net_free(net);
}

TEST(resolver, answers_over_tcp)
{
	struct berth_net *net = given_net();
	uint8_t bytes[512] = { 0, 19 };

	REQUIRE(net);
	struct berth_stack *a = berth_host_stack(given_host(net, "a"));
	given_host(net, "b");
	struct sockaddr_in address = at("8.8.8.8", 53);
	int fd = berth_socket(a, AF_INET, SOCK_STREAM, 0);
	berth_connect(a, fd, (struct sockaddr *)&address, sizeof(address));
	berth_net_advance(net, 1);
	dns_query_for_b(bytes + 2);
	CHECK_EQ(berth_send(a, fd, bytes, 21, 0), 21);
	berth_net_advance(net, 2);
	CHECK_EQ(berth_recv(a, fd, bytes, sizeof(bytes), 0), 2 + 19 + 16);
	CHECK_EQ(bytes[1], 19 + 16);
	berth_net_free(net);
}

static int ready_calls;

static void count_ready(void *context, int fd, unsigned events)
{
	ready_calls++;
}

TEST(resolver, is_out_of_the_embedders_sight)
{
	struct berth_net *net = given_net();
	struct berth_hooks hooks = { .ready = count_ready };
	struct berth_host *host;
	uint8_t bytes[512];

	REQUIRE(net);
	REQUIRE(berth_net_add_host(net, "b", ip_any, &hooks, &host) == 0);
	struct berth_stack *stack = berth_host_stack(host);
	struct sockaddr_in address = at("8.8.8.8", 53);
	int fd = berth_socket(stack, AF_INET, SOCK_DGRAM, 0);
	CHECK(!net_host_owns_fd(host, fd));
	CHECK_EQ(berth_bind(stack, berth_socket(stack, AF_INET, SOCK_STREAM, 0),
			    (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(53) },
			    sizeof(address)),
		 0);
	ready_calls = 0;
	berth_sendto(stack, fd, bytes, dns_query_for_b(bytes), 0, (struct sockaddr *)&address, sizeof(address));
	berth_net_advance(net, 1);
	CHECK(ready_calls <= 2); /* the asker's own, readable */
	CHECK(berth_readiness(stack, fd) & BERTH_POLLIN);
	berth_net_free(net);
}

TEST(hosts, beyond_the_subnet_is_unreachable_at_once)
{
	struct berth_net *net = given_net();

	REQUIRE(net);
	struct berth_stack *a = berth_host_stack(given_host(net, "a"));
	struct sockaddr_in address = at("192.0.2.1", 80);
	int fd = berth_socket(a, AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(berth_connect(a, fd, (struct sockaddr *)&address, sizeof(address)), -1);
	CHECK_EQ(errno, ENETUNREACH);
	berth_net_free(net);
}

TEST(hosts, who_calls_a_host_that_has_left_hears_it_in_seconds)
{
	for (int family = 0; family < 2; family++) {
		struct berth_net *net = given_net();
		struct sockaddr_in address4 = at("10.77.0.3", 9);
		struct sockaddr_in6 address6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
		struct sockaddr *address = family ? (struct sockaddr *)&address6 : (struct sockaddr *)&address4;
		socklen_t length = family ? sizeof(address6) : sizeof(address4), size = sizeof(int);
		int error = 0;

		REQUIRE(net);
		inet_pton(AF_INET6, "fd77::3", &address6.sin6_addr);
		struct berth_stack *a = berth_host_stack(given_host(net, "a"));
		struct berth_host *b = given_host(net, "b");
		int fd = berth_socket(a, address->sa_family, SOCK_STREAM, 0);
		CHECK_EQ(berth_connect(a, fd, address, length), -1);
		berth_net_advance(net, 1); /* refused: they have heard of each other */
		CHECK_EQ(berth_getsockopt(a, fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
		CHECK_EQ(error, ECONNREFUSED);
		berth_net_remove_host(b);
		fd = berth_socket(a, address->sa_family, SOCK_STREAM, 0);
		CHECK_EQ(berth_connect(a, fd, address, length), -1);
		CHECK_EQ(errno, EINPROGRESS);
		for (berth_time now = 2; now < 5 * BERTH_SEC; now += BERTH_SEC / 10)
			berth_net_advance(net, now);
		CHECK_EQ(berth_getsockopt(a, fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
		CHECK_EQ(error, EHOSTUNREACH);
		berth_net_free(net);
	}
}
