/* SPDX-License-Identifier: BSD-2-Clause */
/* Options at UDP's own level: udp(7). */
#include "core/udp/udp.h"

#include <errno.h>
#include <netinet/udp.h>

int udp_set_option(struct berth_socket *socket, int option, const void *value, socklen_t length)
{
	int number;

	if (option != UDP_SEGMENT && option != UDP_GRO)
		return -ENOPROTOOPT;
	if (length < sizeof(number))
		return -EINVAL;
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
