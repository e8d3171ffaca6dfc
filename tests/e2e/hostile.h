/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that means harm, in three files: hostile.c. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdint.h>

#define REAL "198.51.100.7" /* RFC 5737: reached by the real kernel's default route */

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
