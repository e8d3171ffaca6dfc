/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Confinement: confine.h. The filter names what is forbidden, not what is
 * allowed: libraries and kernels may need a new call tomorrow, but none of
 * these. Forbidden calls fail with EPERM; foreign ones (32-bit, x32) end the
 * process, which makes none.
 */
#include "os/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define X32_BIT 0x40000000u

/* Newer than the headers of Debian 12. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

/* The leak checker of sanitized builds forks and traces. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PROCESSES_TOO 0
#else
#define PROCESSES_TOO 1
#endif

static const unsigned forbidden[] = {
#if PROCESSES_TOO
	SYS_execve,
	SYS_execveat,
	SYS_fork,
	SYS_vfork,
	SYS_clone,
	SYS_clone3,
	SYS_ptrace,
#endif
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_pidfd_getfd,
	SYS_kcmp,
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_move_mount,
	SYS_open_tree,
	SYS_fsopen,
	SYS_fsmount,
	SYS_fspick,
	SYS_mount_setattr,
	SYS_setns,
	SYS_unshare,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_userfaultfd,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_kexec_file_load,
	SYS_reboot,
	SYS_swapon,
	SYS_swapoff,
	SYS_acct,
	SYS_quotactl,
	SYS_keyctl,
	SYS_add_key,
	SYS_request_key,
	SYS_open_by_handle_at,
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
	SYS_personality,
	SYS_sethostname,
	SYS_setdomainname,
	SYS_iopl,
	SYS_ioperm,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_clock_adjtime,
	SYS_adjtimex,
	SYS_syslog,
	SYS_vhangup,
	SYS_mknod,
	SYS_mknodat,
};

static int own_filters;

int process_confinement_filters(void)
{
	return own_filters;
}

static int filter_calls(void)
{
	struct sock_filter code[2 * COUNT(forbidden) + 8];
	struct sock_fprog program = { .filter = code };
	size_t n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	for (size_t i = 0; i < COUNT(forbidden); i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, forbidden[i], 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)n;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return -errno;
	own_filters++;
	return 0;
}

/* Published ports below 1024 may need that one (-p 80:80, as root). */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		uint32_t kept = i ? 0 : data[i].permitted & 1u << CAP_NET_BIND_SERVICE;

		data[i] = (struct __user_cap_data_struct){ .effective = kept, .permitted = kept };
	}
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
		if (capability != CAP_NET_BIND_SERVICE)
			prctl(PR_CAPBSET_DROP, capability, 0, 0, 0); /* may be refused where there is none to drop */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static int allow_below(int rules, const char *path, uint64_t access)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };
	long r;

	if (fd < 0)
		return -errno;
	r = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	r = r < 0 ? -errno : 0;
	close(fd);
	return (int)r;
}

/* Reading stays as it was: /etc/resolv.conf, /proc/PID/status. */
static int lock_files(const char *directory)
{
	uint64_t write = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
			 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
			 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
			 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr attributes = { .handled_access_fs = write };
	char above[4096];
	long rules;
	int r;

	if (version < 1)
		return 0; /* the kernel has none, or it is switched off */
	if (version >= 2)
		attributes.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		attributes.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	rules = syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
	if (rules < 0)
		return -errno;
	snprintf(above, sizeof(above), "%s", directory);
	while (strlen(above) > 1 && above[strlen(above) - 1] == '/')
		above[strlen(above) - 1] = 0;
	r = allow_below((int)rules, above, attributes.handled_access_fs & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE);
	if (strrchr(above, '/') > above)
		*strrchr(above, '/') = 0; /* the directory itself goes at the end */
	if (!r)
		r = allow_below((int)rules, above, LANDLOCK_ACCESS_FS_REMOVE_DIR);
	if (!r)
		r = allow_below((int)rules, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE);
	if (!r && syscall(SYS_landlock_restrict_self, (int)rules, 0) < 0)
		r = -errno;
	close((int)rules);
	return r;
}

int process_confine(const char *directory)
{
	int r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;

	if (!r)
		r = drop_capabilities();
	if (!r)
		r = lock_files(directory);
	return r ? r : filter_calls();
}
