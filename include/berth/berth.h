/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything of libberth. */
#ifndef BERTH_BERTH_H
#define BERTH_BERTH_H

#include <berth/conditions.h>
#include <berth/dhcp.h>
#include <berth/driver.h>
#include <berth/event.h>
#include <berth/inspect.h>
#include <berth/link.h>
#include <berth/net.h>
#include <berth/packet.h>
#include <berth/protocol.h>
#include <berth/socket.h>
#include <berth/stack.h>
#include <berth/types.h>

#endif
