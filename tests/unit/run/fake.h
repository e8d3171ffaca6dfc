/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A daemon that has no stack: it says yes to everything, serves every TCP
 * connection "hello\n", connects to every listener by itself, and sends each
 * datagram back. It is a process of its own, in a runtime directory of its own.
 */
#ifndef TESTS_UNIT_RUN_FAKE_H
#define TESTS_UNIT_RUN_FAKE_H

#include <sys/types.h>

/* Start it. Returns its pid, or -1. */
pid_t fake_start(void);
void fake_stop(pid_t pid);
/* Run argv under it and collect what it writes. Returns the exit code. */
int fake_run(char *const *argv, char *output, size_t size);
/* The same for a Python program. */
int fake_python(const char *program, char *output, size_t size);

#endif
