/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Service names of well-known and often met registered ports (IANA Service
 * Name and Transport Protocol Port Number Registry). Kept here because the
 * core may not read /etc/services, and a small table is the same everywhere.
 */
#include <berth/inspect.h>

#include "base/bytes.h"

#include <errno.h>

enum { T = 1, U = 2, TU = 3 };

static const struct service {
	uint16_t port;
	uint8_t protocols;
	const char *name;
} services[] = {
	/* in order of port */
	/* clang-format off */
	{ 7, TU, "echo" }, { 9, TU, "discard" }, { 13, TU, "daytime" }, { 19, TU, "chargen" },
	{ 20, T, "ftp-data" }, { 21, T, "ftp" }, { 22, T, "ssh" }, { 23, T, "telnet" },
	{ 25, T, "smtp" }, { 37, TU, "time" }, { 43, T, "whois" }, { 49, TU, "tacacs" },
	{ 53, TU, "domain" }, { 67, U, "bootps" }, { 68, U, "bootpc" }, { 69, U, "tftp" },
	{ 70, T, "gopher" }, { 79, T, "finger" }, { 80, T, "http" }, { 88, TU, "kerberos" },
	{ 110, T, "pop3" }, { 111, TU, "sunrpc" }, { 113, T, "auth" }, { 119, T, "nntp" },
	{ 123, U, "ntp" }, { 137, U, "netbios-ns" }, { 138, U, "netbios-dgm" }, { 139, T, "netbios-ssn" },
	{ 143, T, "imap2" }, { 161, TU, "snmp" }, { 162, TU, "snmp-trap" }, { 179, T, "bgp" },
	{ 194, TU, "irc" }, { 389, TU, "ldap" }, { 443, TU, "https" }, { 445, T, "microsoft-ds" },
	{ 464, TU, "kpasswd" }, { 465, T, "submissions" }, { 500, U, "isakmp" }, { 514, T, "shell" },
	{ 514, U, "syslog" }, { 515, T, "printer" }, { 520, U, "route" }, { 546, U, "dhcpv6-client" },
	{ 547, U, "dhcpv6-server" }, { 548, T, "afpovertcp" }, { 554, TU, "rtsp" }, { 587, T, "submission" },
	{ 631, TU, "ipp" }, { 636, T, "ldaps" }, { 853, TU, "domain-s" },
	{ 873, T, "rsync" }, { 989, T, "ftps-data" }, { 990, T, "ftps" }, { 993, T, "imaps" },
	{ 995, T, "pop3s" }, { 1080, T, "socks" }, { 1194, TU, "openvpn" }, { 1433, T, "ms-sql-s" },
	{ 1812, U, "radius" }, { 1813, U, "radius-acct" }, { 1883, T, "mqtt" },
	{ 2049, TU, "nfs" }, { 2379, T, "etcd-client" }, { 2380, T, "etcd-server" },
	{ 3260, T, "iscsi-target" }, { 3306, T, "mysql" }, { 3389, TU, "ms-wbt-server" }, { 3478, TU, "stun" },
	{ 4369, T, "epmd" }, { 4500, U, "ipsec-nat-t" }, { 4789, U, "vxlan" }, { 5060, TU, "sip" },
	{ 5061, T, "sips" }, { 5222, T, "xmpp-client" }, { 5269, T, "xmpp-server" },
	{ 5353, U, "mdns" }, { 5432, T, "postgresql" }, { 5671, T, "amqps" }, { 5672, T, "amqp" },
	{ 5683, U, "coap" }, { 6000, T, "x11" }, { 6379, T, "redis" }, 	{ 6667, T, "ircd" }, { 8080, T, "http-alt" }, { 8883, T, "secure-mqtt" },
	{ 9042, T, "cassandra" }, 	{ 9418, T, "git" }, { 10050, T, "zabbix-agent" }, { 10051, T, "zabbix-trapper" },
	{ 11211, TU, "memcache" }, { 27017, T, "mongodb" },
	/* clang-format on */
};

static unsigned protocol_bit(uint8_t protocol)
{
	return protocol == 6 ? T : protocol == 17 ? U : 0;
}

const char *berth_service_name(uint8_t protocol, uint16_t port)
{
	for (size_t i = 0; i < COUNT_OF(services) && services[i].port <= port; i++)
		if (services[i].port == port && services[i].protocols & protocol_bit(protocol))
			return services[i].name;
	return NULL;
}

int berth_service_port(uint8_t protocol, const char *name)
{
	for (size_t i = 0; i < COUNT_OF(services); i++)
		if (services[i].protocols & protocol_bit(protocol) && !strcmp(services[i].name, name))
			return services[i].port;
	return -ENOENT;
}
