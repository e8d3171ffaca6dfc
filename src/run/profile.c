/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/profile.h"

#include "base/bytes.h"
#include "run/supervisor.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const struct profile_call profile_calls[] = {
	{ "seccomp", SYS_seccomp, PROFILE_NEEDED },
	{ "epoll_create1", SYS_epoll_create1, PROFILE_NEEDED },
	{ "eventfd2", SYS_eventfd2, PROFILE_NEEDED },
	{ "signalfd4", SYS_signalfd4, PROFILE_NEEDED },
	{ "getrandom", SYS_getrandom, PROFILE_NEEDED },
	{ "socketpair", SYS_socketpair, PROFILE_NEEDED },
	{ "process_vm_readv", SYS_process_vm_readv, PROFILE_REPLACE },
	{ "process_vm_writev", SYS_process_vm_writev, PROFILE_REPLACE },
	{ "pidfd_open", SYS_pidfd_open, PROFILE_REPLACE },
	{ "pidfd_getfd", SYS_pidfd_getfd, PROFILE_REPLACE },
	{ "close_range", SYS_close_range, PROFILE_REPLACE },
	{ "unshare", SYS_unshare, PROFILE_UNUSED },
	{ "setns", SYS_setns, PROFILE_UNUSED },
	{ "mount", SYS_mount, PROFILE_UNUSED },
	{ "ptrace", SYS_ptrace, PROFILE_UNUSED },
};

const size_t profile_call_count = COUNT_OF(profile_calls);

/*
 * No process, descriptor, address or flag is any good in these, so the kernel itself says EINVAL, EBADF, EFAULT, ESRCH
 * or 0; EPERM, EACCES and ENOSYS are a filter's words.
 */
bool profile_refuses(const struct profile_call *call)
{
	long bad = call->number == SYS_getrandom ? 0 : -1;
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		long r = syscall(call->number, bad, bad, bad, bad, bad, bad);

		_exit(r < 0 && (errno == EPERM || errno == EACCES || errno == ENOSYS) ? 1 : 0);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return status != 0;
}

const char *profile_container(void)
{
	const char *said = getenv("container"); /* systemd's convention, which podman and lxc follow */

	if (access("/.dockerenv", F_OK) == 0)
		return "docker";
	if (access("/run/.containerenv", F_OK) == 0)
		return "podman";
	return said && *said ? said : NULL;
}

bool profile_filtered(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	int mode = 0;

	while (file && fgets(line, sizeof(line), file) && sscanf(line, "Seccomp: %d", &mode) != 1)
		;
	if (file)
		fclose(file);
	return mode == 2;
}

long yama_scope(void)
{
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	long scope = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &scope) != 1)
		scope = -1;
	fclose(file);
	return scope;
}

static bool may_trace(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capget, &header, data) == 0 && data[0].effective & UINT32_C(1) << CAP_SYS_PTRACE;
}

/* Linux: 1 allows descendants, 2 who has CAP_SYS_PTRACE, 3 nobody. */
bool yama_refuses(void)
{
	long scope = yama_scope();

	return scope > 2 || (scope == 2 && !may_trace());
}

static void look_for_listener(void *found, int number, const char *target)
{
	*(bool *)found |= strstr(target, "seccomp notify") != NULL;
}

/* Does the process hold a listener? */
static bool listens(pid_t pid)
{
	bool found = false;

	descriptors_each(pid, look_for_listener, &found);
	return found;
}

bool listener_owner(char *text, size_t size)
{
	pid_t pid = getpid();
	char path[32], name[32] = "?";
	FILE *file;

	do {
		pid = process_parent(pid);
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	} while (pid > 0 && !listens(pid));
	if (pid <= 0)
		return false;
	file = fopen(path, "re");
	if (file && fgets(name, sizeof(name), file))
		name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
	snprintf(text, size, "%d (%s)", pid, name);
	return true;
}
