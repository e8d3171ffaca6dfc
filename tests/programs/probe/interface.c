/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program can ask of its interfaces, addresses, routes and names; of lo only what every host has. */
#include "probe.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/ioctl.h>

static void by_getifaddrs(void)
{
	struct ifaddrs *list = NULL;
	char text[INET6_ADDRSTRLEN];

	say_result("getifaddrs", getifaddrs(&list));
	for (struct ifaddrs *at = list; at; at = at->ifa_next) {
		if (strcmp(at->ifa_name, "lo") || !at->ifa_addr)
			continue;
		say(" family=%d flags=%x", at->ifa_addr->sa_family, at->ifa_flags);
		if (at->ifa_addr->sa_family == AF_INET)
			say(" %s",
			    inet_ntop(AF_INET, &((struct sockaddr_in *)at->ifa_addr)->sin_addr, text, sizeof(text)));
		if (at->ifa_addr->sa_family == AF_INET && at->ifa_netmask)
			say("/%s",
			    inet_ntop(AF_INET, &((struct sockaddr_in *)at->ifa_netmask)->sin_addr, text, sizeof(text)));
		if (at->ifa_addr->sa_family == AF_INET6)
			say(" %s",
			    inet_ntop(AF_INET6, &((struct sockaddr_in6 *)at->ifa_addr)->sin6_addr, text, sizeof(text)));
	}
}

static void by_ioctl(void)
{
	static const struct {
		const char *label;
		unsigned long request;
	} tried[] = { { "flags", SIOCGIFFLAGS },  { "address", SIOCGIFADDR }, { "mask", SIOCGIFNETMASK },
		      { "mtu", SIOCGIFMTU },	  { "index", SIOCGIFINDEX },  { "hardware", SIOCGIFHWADDR },
		      { "metric", SIOCGIFMETRIC } };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq request;

	for (size_t i = 0; i < COUNT_OF(tried); i++) {
		memset(&request, 0, sizeof(request));
		strcpy(request.ifr_name, "lo");
		say_result(tried[i].label, ioctl(fd, tried[i].request, &request));
		if (tried[i].request == SIOCGIFADDR || tried[i].request == SIOCGIFNETMASK)
			say(":%s", inet_ntoa(((struct sockaddr_in *)&request.ifr_addr)->sin_addr));
		else if (tried[i].request == SIOCGIFHWADDR)
			say(":%d", request.ifr_hwaddr.sa_family);
		else if (tried[i].request == SIOCGIFFLAGS)
			say(":%x", request.ifr_flags & 0xffff);
		else
			say(":%d", request.ifr_ifindex);
		strcpy(request.ifr_name, "nope0");
		say_result("absent", ioctl(fd, tried[i].request, &request));
	}
	request.ifr_ifindex = 1;
	say_result("name", ioctl(fd, SIOCGIFNAME, &request));
	say(":%s", request.ifr_name);
	say_result("on-tcp", ioctl(socket(AF_INET, SOCK_STREAM, 0), SIOCGIFFLAGS, &request));
	strcpy(request.ifr_name, "lo");
	say_result("change", ioctl(fd, SIOCSIFFLAGS, &request));
	say(" index=%u", if_nametoindex("lo"));
	say_count("unknown", if_nametoindex("nope0") ? 1 : -1);
}

static void configuration(void)
{
	struct ifreq list[16];
	struct ifconf all = { .ifc_len = sizeof(list), .ifc_req = list };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), found = 0;

	say_result("list", ioctl(fd, SIOCGIFCONF, &all));
	for (int i = 0; i < all.ifc_len / (int)sizeof(list[0]); i++)
		found += !strcmp(list[i].ifr_name, "lo");
	say(" lo=%d", found);
	all = (struct ifconf){ .ifc_len = 1, .ifc_req = NULL };
	say_result("size", ioctl(fd, SIOCGIFCONF, &all));
	say(" whole=%d", all.ifc_len > 0 && all.ifc_len % (int)sizeof(list[0]) == 0);
}

/* A dump over netlink: how many messages of which types, about lo. */
static void by_netlink(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct sockaddr_nl name = { .nl_family = AF_NETLINK };
	socklen_t length = sizeof(name);
	static const int types[] = { RTM_GETLINK, RTM_GETADDR };
	static char bytes[32768];

	say_result("bind", bind(fd, (struct sockaddr *)&name, sizeof(name)));
	getsockname(fd, (struct sockaddr *)&name, &length);
	say(" length=%u family=%d", length, name.nl_family);
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		struct {
			struct nlmsghdr head;
			struct rtgenmsg body;
		} request = { { NLMSG_LENGTH(sizeof(request.body)), (uint16_t)types[i], NLM_F_REQUEST | NLM_F_DUMP, 7,
				0 },
			      { AF_UNSPEC } };
		int of_lo = 0, strange = 0;
		bool done = false;

		say_count("send", send(fd, &request, request.head.nlmsg_len, 0));
		while (!done && await(fd, POLLIN) & POLLIN) {
			int n = (int)recv(fd, bytes, sizeof(bytes), 0);

			for (struct nlmsghdr *at = (void *)bytes; NLMSG_OK(at, n); at = NLMSG_NEXT(at, n)) {
				done = done || at->nlmsg_type == NLMSG_DONE;
				strange += at->nlmsg_seq != 7;
				if (at->nlmsg_type == RTM_NEWLINK)
					of_lo += ((struct ifinfomsg *)NLMSG_DATA(at))->ifi_index == 1;
				if (at->nlmsg_type == RTM_NEWADDR)
					of_lo += ((struct ifaddrmsg *)NLMSG_DATA(at))->ifa_index == 1;
			}
		}
		say(" done=%d lo=%d strange=%d", done, of_lo, strange);
	}
}

static void names(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	char text[INET6_ADDRSTRLEN], host[64];
	union address address = loopback(AF_INET, 80);
	int r = getaddrinfo("localhost", "http", &hints, &list);

	say(" localhost=%d", r);
	for (; !r && list; list = list->ai_next) {
		int family = list->ai_family;
		void *at = family == AF_INET ? (void *)&((struct sockaddr_in *)list->ai_addr)->sin_addr
					     : (void *)&((struct sockaddr_in6 *)list->ai_addr)->sin6_addr;

		say(" %s", inet_ntop(family, at, text, sizeof(text)));
	}
	say(" numeric=%d", getaddrinfo("::1", "1", &hints, &list));
	say(" absent=%d", getaddrinfo("no-such-name.invalid", "1", &hints, &list) != 0);
	say(" back=%d", getnameinfo(&address.any, sizeof(address.in), host, sizeof(host), NULL, 0, 0));
	say(" %s", host);
}

static void to_device(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), a = open_bound(AF_INET, SOCK_DGRAM);
	union address to = loopback(AF_INET, port_of(a));
	char name[IFNAMSIZ] = "";
	socklen_t length = sizeof(name);

	say_result("lo", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	say_result("get", getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length));
	say(" %s", name);
	say_count("send", sendto(fd, "x", 1, 0, &to.any, sizeof(to.in)));
	say_poll("poll", a, POLLIN);
	say_result("absent", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nope0", 6));
}

const struct scenario interface_scenarios[] = {
	{ "interface-getifaddrs", by_getifaddrs },
	{ "interface-ioctl", by_ioctl },
	{ "interface-list", configuration },
	{ "interface-netlink", by_netlink },
	{ "interface-names", names },
	{ "interface-to-device", to_device },
	{ 0 },
};
