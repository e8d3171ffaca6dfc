/* SPDX-License-Identifier: BSD-2-Clause */
/* Options at UDP's and UDP-Lite's own levels: udp(7), udplite(7). */
#include "core/udp/udp.h"

#include "wire/udp.h"

#include <errno.h>
#include <netinet/udp.h>

int udp_set_option(struct berth_socket *socket, int option, const void *value, socklen_t length)
{
	int number;

	if (length < sizeof(number))
		return -EINVAL; /* also of an option that there is not. Linux: udp_lib_setsockopt() */
	if (option != UDP_SEGMENT && option != UDP_GRO)
		return -ENOPROTOOPT;
	memcpy(&number, value, sizeof(number));
	if (option == UDP_GRO)
		udp_of(socket)->coalesce = number != 0;
	else if (number < 0 || number > UINT16_MAX)
		return -EINVAL;
	else
		udp_of(socket)->segment = (uint16_t)number;
	return 0;
}

int udp_get_option(struct berth_socket *socket, int option, void *value, socklen_t *length)
{
	int number = option == UDP_GRO ? udp_of(socket)->coalesce : udp_of(socket)->segment;

	if (option != UDP_SEGMENT && option != UDP_GRO)
		return -ENOPROTOOPT;
	*length = (socklen_t)MIN(*length, sizeof(number));
	memcpy(value, &number, *length);
	return 0;
}

enum { UDPLITE_SEND_CSCOV = 10, UDPLITE_RECV_CSCOV = 11 }; /* Linux: <linux/udp.h> has them not for programs */

/* Less than the header can't be left uncovered. Linux: udp_lib_setsockopt() */
static uint16_t coverage_from(int number)
{
	return (uint16_t)(number && number < WIRE_UDP_LENGTH ? WIRE_UDP_LENGTH : MIN(number, UINT16_MAX));
}

int udplite_set_option(struct berth_socket *socket, int option, const void *value, socklen_t length)
{
	struct udp_socket *udp = udp_of(socket);
	int number;

	if (length < sizeof(number))
		return -EINVAL; /* also of an option that there is not. Linux: udp_lib_setsockopt() */
	if (option != UDPLITE_SEND_CSCOV && option != UDPLITE_RECV_CSCOV)
		return -ENOPROTOOPT;
	memcpy(&number, value, sizeof(number));
	if (option == UDPLITE_SEND_CSCOV) {
		udp->send_coverage = coverage_from(number);
		udp->send_partly = true;
	} else {
		udp->receive_coverage = coverage_from(number);
		udp->receive_checked = true;
	}
	return 0;
}

int udplite_get_option(struct berth_socket *socket, int option, void *value, socklen_t *length)
{
	const struct udp_socket *udp = udp_of(socket);
	int number = option == UDPLITE_SEND_CSCOV ? udp->send_coverage : udp->receive_coverage;

	if (option != UDPLITE_SEND_CSCOV && option != UDPLITE_RECV_CSCOV)
		return -ENOPROTOOPT;
	*length = (socklen_t)MIN(*length, sizeof(number));
	memcpy(value, &number, *length);
	return 0;
}
