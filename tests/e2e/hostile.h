/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that mean harm: hostile.c in three files, hostile_shim.c; and what both say, hostile_say.c. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>
#include <stdint.h>

#define REAL "198.51.100.7" /* RFC 5737: reached by the real kernel's default route */

/* hostile_say.c: what an attack should not have got, as printf() has it. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);
/* Says "held" if nobody complained. Returns what main() does. */
int verdict(void);
/* Is fd an AF_UNIX socket in truth? SO_DOMAIN is Berth's to answer, /proc/net/unix the kernel's. */
bool is_unix(int fd);

/* Chance that can be had again: each thread has its own. */
extern _Thread_local uint64_t dice_state;
uint64_t dice(void);

/* hostile_calls.c */
/* Nowhere, without end, or something of ours. */
uint64_t any_argument(void);
void attack_racing(char **arguments);  /* ROUNDS */
void attack_nowhere(char **arguments); /* ROUNDS */
void attack_exhaust(char **arguments);

/* hostile_soak.c */
void attack_soak(char **arguments); /* SEED SECONDS */

#endif
