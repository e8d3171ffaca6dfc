/* SPDX-License-Identifier: BSD-2-Clause */
/* One line of text about a frame, in tcpdump's manner: for tests and traces. */
#ifndef WIRE_SHOW_H
#define WIRE_SHOW_H

#include <berth/link.h>

/*
 * Write a line (no newline) about length bytes, a frame of a link of this type,
 * into text, cut to size. Bytes that make no sense are said to be so. Returns text.
 */
const char *wire_show(const void *bytes, size_t length, enum berth_link_type type, char *text, size_t size);

#endif
