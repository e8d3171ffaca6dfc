/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Run a program as it would be in places where Berth is to work, or to say why
 * not:
 *
 *	confine docker PROGRAM…		what Docker's default profile refuses of what
 *					matters here is refused, EPERM (clone3: ENOSYS)
 *	confine listener PROGRAM…	somebody else listens to its system calls
 *	confine watched PROGRAM…	this process does, and waits for its end
 *	confine no-seccomp PROGRAM…	a profile that allows no filters
 *	confine no-memory PROGRAM…	one that has none of the newer ways into a process
 *	confine no-signalfd PROGRAM…	one that refuses what can't be done without
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLONE_NAMESPACES 0x7e020000 /* as in Docker's profile */

static struct sock_filter code[128];
static unsigned short length;

static void emit(uint16_t operation, uint32_t value, uint8_t yes, uint8_t no)
{
	code[length++] = (struct sock_filter){ operation, yes, no, value };
}

static void refuse(uint32_t number, uint32_t error)
{
	emit(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
	emit(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error, 0, 0);
}

/* Refused without CAP_SYS_ADMIN, CAP_SYS_PTRACE and the like. */
static const uint32_t docker[] = {
	SYS_pidfd_getfd,
	SYS_kcmp,
	SYS_unshare,
	SYS_setns,
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_open_tree,
	SYS_move_mount,
	SYS_fsopen,
	SYS_bpf,
	SYS_add_key,
	SYS_keyctl,
	SYS_request_key,
	SYS_perf_event_open,
	SYS_userfaultfd,
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
	SYS_process_madvise,
	SYS_open_by_handle_at,
};

static const uint32_t memory[] = { SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd, SYS_close_range };

static void build(const char *kind)
{
	emit(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	if (!strcmp(kind, "docker")) {
		for (size_t i = 0; i < sizeof(docker) / sizeof(docker[0]); i++)
			refuse(docker[i], EPERM);
		refuse(SYS_clone3, ENOSYS);
		emit(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4);
		emit(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]), 0, 0);
		emit(BPF_JMP | BPF_JSET | BPF_K, CLONE_NAMESPACES, 0, 1);
		emit(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
		emit(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	} else if (!strcmp(kind, "no-seccomp")) {
		refuse(SYS_seccomp, EPERM);
	} else if (!strcmp(kind, "no-memory")) {
		for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++)
			refuse(memory[i], EPERM);
	} else if (!strcmp(kind, "no-signalfd")) {
		refuse(SYS_signalfd4, EPERM);
	}
	emit(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

/* In a child, with whom this process shares its descriptors until the listener is among them. */
static int fork_watched(void)
{
	pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	int status;

	if (child == 0)
		return 0;
	waitpid(child, &status, 0);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
}

int main(int count, char **arguments)
{
	struct sock_fprog program = { .filter = code };
	unsigned flags = 0;
	bool watched;
	long fd;

	if (count < 3)
		return 2;
	build(arguments[1]);
	program.len = length;
	watched = !strcmp(arguments[1], "watched");
	if (watched || !strcmp(arguments[1], "listener"))
		flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	if (watched)
		fork_watched();
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (fd < 0) {
		perror("seccomp");
		return 2;
	}
	if (watched ? unshare(CLONE_FILES) < 0 : flags && dup((int)fd) < 0) /* not close-on-exec: it lives on */
		return 2;
	execvp(arguments[2], arguments + 2);
	perror(arguments[2]);
	return 127;
}
