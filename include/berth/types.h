/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Types that every public header of Berth shares: time, addresses, memory.
 */
#ifndef BERTH_TYPES_H
#define BERTH_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BERTH_EXPORT __attribute__((visibility("default")))
#else
#define BERTH_EXPORT
#endif

/*
 * Nanoseconds on any scale that never runs backwards. The caller chooses the
 * scale: CLOCK_MONOTONIC in a daemon, a counter in a simulation.
 */
typedef int64_t berth_time;

#define BERTH_NEVER INT64_MAX /* a deadline that does not come */
#define BERTH_USEC ((berth_time)1000)
#define BERTH_MSEC ((berth_time)1000000)
#define BERTH_SEC ((berth_time)1000000000)

/*
 * An IPv4 or IPv6 address in network byte order. IPv4 is held in its mapped
 * form, ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), so that one type, one hash and one
 * comparison serve both. All zero bytes mean "no address".
 */
struct berth_ip {
	uint8_t bytes[16];
};

/*
 * Read "10.0.0.1" or "fd00::1" into *ret_ip. Returns 0, or -EINVAL when text
 * is not an address (zone identifiers, %eth0, are not accepted).
 */
BERTH_EXPORT int berth_ip_parse(const char *text, struct berth_ip *ret_ip);

#define BERTH_IP_STRLEN 46 /* INET6_ADDRSTRLEN */

/* Write ip as text (RFC 5952 for IPv6). Returns text. */
BERTH_EXPORT char *berth_ip_format(struct berth_ip ip, char text[BERTH_IP_STRLEN]);

/*
 * Where memory comes from. The struct is the caller's and outlives everything
 * that was made with it. alloc returns NULL when there is none; free gets the
 * size that alloc was asked for. Both are called from the owner's thread only.
 */
struct berth_allocator {
	void *(*alloc)(void *context, size_t size);
	void (*free)(void *context, void *memory, size_t size);
	void *context;
};

#ifdef __cplusplus
}
#endif
#endif
