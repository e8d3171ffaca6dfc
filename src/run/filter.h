/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seccomp filter: which system calls the program asks the supervisor for,
 * which fail at once, and which (nearly all) are the kernel's alone.
 *
 * A call is notified when it can reach a socket of ours in a way that the
 * kernel would answer wrongly for the AF_UNIX socket that it is, or when it
 * could reach the real network. Everything that is always allowed is decided
 * by call number alone, so the kernel's own cache (5.11) skips the filter.
 */
#ifndef RUN_FILTER_H
#define RUN_FILTER_H

#include <linux/audit.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

/* What differs from architecture to architecture; numbers come from <sys/syscall.h>. */
#if defined(__x86_64__)
#define FILTER_AUDIT_ARCH AUDIT_ARCH_X86_64
#define FILTER_FOREIGN_BIT 0x40000000 /* x32 */
#elif defined(__aarch64__)
#define FILTER_AUDIT_ARCH AUDIT_ARCH_AARCH64
#define FILTER_FOREIGN_BIT 0x80000000
#else
#define FILTER_AUDIT_ARCH 0
#define FILTER_FOREIGN_BIT 0x80000000
#endif

#define FILTER_MAX 320 /* instructions */

/*
 * Write the filter into code. shim: a few calls are the kernel's when they carry
 * SHIM_MAGIC (control/shim.h). Returns the number of instructions.
 */
size_t filter_build(struct sock_filter code[FILTER_MAX], bool shim);
/*
 * Install it on the calling thread, which has no_new_privs set. Returns the
 * listener's descriptor or -errno: -EBUSY, somebody listens already.
 */
int filter_install(bool shim);
/* Can this kernel do what the runner needs? NULL, or why not. */
const char *filter_unsupported(void);

#endif
