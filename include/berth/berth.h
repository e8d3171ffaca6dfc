/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything of libberth. docs/embedding.md says how it fits together.
 *
 * Lifetimes: what an _open, _new or _add gave you is yours until the matching
 * _close, _free or _remove, and ends before the thing that it was made in.
 * Ending that ends what is left inside, devices excepted. Memory that is passed
 * in stays the caller's and is not kept past the call, unless it says so there.
 *
 * Threads: one owns a stack, or a network, and makes all calls on it. Stacks
 * share nothing, and may live in as many threads as there are.
 *
 * Errors: calls shaped like POSIX's return -1 and set errno; all others return
 * 0 or more, or a negative errno.
 */
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
#include <berth/steer.h>
#include <berth/types.h>

#endif
