/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting the program: a child that gives up what it could reach the real
 * network with, installs the filter, whose listener the supervisor shares, and
 * becomes the program.
 */
#include "run/start.h"

#include "run/detach.h"
#include "run/filter.h"
#include "run/kernel.h"
#include "run/profile.h"
#include "run/user.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child goes by. */
struct start {
	const struct supervisor *supervisor;
	const struct run_options *options;
	const struct inherited *inherited;
	struct user user;
};

/* What the child tells before it becomes the program. */
struct report {
	enum { REPORT_LISTENER, REPORT_FILTER, REPORT_EXEC, REPORT_WORKDIR, REPORT_USER, REPORT_STANDARD } kind;
	int value; /* the listener's number, an errno, or a descriptor */
};

/*
 * Close what was inherited and is not to be. Returns the number of one that
 * can't just go away, because it is standard input, output or error, or -1.
 */
static int close_sockets(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int standard = -1;

	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || fd == dirfd(directory) || !descriptor_foreign(fd))
			continue;
		if (fd <= STDERR_FILENO) {
			standard = fd;
			continue;
		}
		say("descriptor %d is a socket of the real network: the program does not get it", fd);
		close(fd);
	}
	if (directory)
		closedir(directory);
	return standard;
}

/* The kernel's filter lets write() through, whatever it says of the rest. */
static void report_send(int pipe, int kind, int value)
{
	struct report report = { .kind = kind, .value = value };

	if (write(pipe, &report, sizeof(report)) < 0)
		_exit(EXIT_BERTH);
}

/* Is name, which has no '/', anywhere in PATH? */
static bool in_path(const char *name)
{
	const char *path = getenv("PATH");

	for (const char *next = path; next; path = next) { /* the last has no ':' after it */
		char file[4096];
		int length;

		next = strchr(path, ':');
		length = next ? (int)(next++ - path) : (int)strlen(path);
		if (snprintf(file, sizeof(file), "%.*s/%s", length, path, name) < (int)sizeof(file) &&
		    access(file, F_OK) == 0)
			return true;
	}
	return false;
}

/* Become the program. Returns why not: a directory of PATH that can't be read does not make it EACCES. */
static int program_exec(char *const *argv)
{
	execvp(argv[0], argv);
	return errno == EACCES && !strchr(argv[0], '/') && !in_path(argv[0]) ? ENOENT : errno;
}

static void become_user(const struct start *start, int reports, pid_t parent)
{
	int error = user_become(&start->user);

	if (error) {
		report_send(reports, REPORT_USER, -error);
		_exit(EXIT_BERTH);
	}
	/* After the change: the kernel forgets it then. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_BERTH);
}

/* Directory and environment, as the options say. */
static void furnish(const struct start *start, int reports)
{
	const struct run_options *options = start->options;

	for (char *const *variable = options->environment; variable && *variable; variable++)
		putenv(*variable);
	if (start->supervisor->shim)
		preload_add(start->supervisor->shim);
	if (options->workdir && chdir(options->workdir) < 0) {
		report_send(reports, REPORT_WORKDIR, errno);
		_exit(EXIT_BERTH);
	}
}

/*
 * Install the filter. Our table of descriptors is the supervisor's as well (see
 * program_start()), so the listener is there, too; from here on we have one of
 * our own, without it. Returns its number or -errno.
 */
static int listen_and_part(bool shim)
{
	int listener = filter_install(shim);

	if (listener < 0)
		return listener;
	/* unshare(2) is refused in many containers, this in few. */
	if (syscall(SYS_close_range, listener, listener, CLOSE_RANGE_UNSHARE) == 0)
		return listener;
	if (unshare(CLONE_FILES) < 0)
		return -errno;
	close(listener);
	return listener;
}

static void become(const struct start *start, int reports, pid_t parent)
{
	char *const *argv = start->options->argv;
	int listener, error, standard;

	become_user(start, reports, parent);
	furnish(start, reports);
	standard = close_sockets();
	if (standard >= 0) {
		report_send(reports, REPORT_STANDARD, standard);
		_exit(EXIT_BERTH);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	listener = listen_and_part(start->supervisor->shim != NULL);
	report_send(reports, listener < 0 ? REPORT_FILTER : REPORT_LISTENER, listener < 0 ? -listener : listener);
	if (listener < 0)
		_exit(EXIT_BERTH);
	/* Not before: what is done to descriptors up to here is done to the supervisor's. */
	detach_program(start->supervisor);
	sigaction(SIGCHLD, &start->inherited->child, NULL);
	sigprocmask(SIG_SETMASK, &start->inherited->mask, NULL);
	error = program_exec(argv);
	report_send(reports, REPORT_EXEC, error);
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

static int say_filter(int error)
{
	char owner[64];

	if (error == EBUSY && listener_owner(owner, sizeof(owner)))
		say("can't run a program here: its system calls are watched by somebody else already, process %s, and "
		    "Linux has one listener for a process: start berth from outside of that (see seccomp in berth doctor)",
		    owner);
	else if (error == EBUSY)
		say("can't run a program here: its system calls are watched by somebody else already "
		    "(berth run inside berth run, or a container that does so), and Linux has one listener for a process: "
		    "start berth from outside of that (see seccomp in berth doctor)");
	else
		say("can't run a program here: the kernel refuses a system call filter: %s (see seccomp in berth doctor)",
		    strerror(error));
	return EXIT_BERTH;
}

static int say_standard(int number)
{
	static const char *const names[] = { "standard input", "standard output", "standard error" };

	say("can't run a program with a socket of the real network as %s: put a pipe between (cat | berth run … | cat)",
	    names[number]);
	return EXIT_BERTH;
}

/* What the child could not do before it had a filter. */
static int say_start(const struct supervisor *supervisor, const struct report *report)
{
	const struct run_options *options = supervisor->options;

	if (report->kind == REPORT_FILTER)
		return say_filter(report->value);
	if (report->kind == REPORT_STANDARD)
		return say_standard(report->value);
	if (report->kind == REPORT_WORKDIR)
		say("can't run '%s' in '%s' (--workdir): %s", options->argv[0], options->workdir,
		    strerror(report->value));
	else
		say("can't become user '%s' (--user): %s; only root can", options->user, strerror(report->value));
	return EXIT_BERTH;
}

/* The child's next report. False: there is none, it has gone on to the program, or has ended. */
static bool report_take(int reports, int child, struct report *ret_report)
{
	struct pollfd wait[2] = { { .fd = reports, .events = POLLIN }, { .fd = child, .events = POLLIN } };

	while (poll(wait, child < 0 ? 1 : 2, -1) < 0 && errno == EINTR)
		;
	/* While the child shares our table, its death is no end of file. */
	if (!wait[0].revents && poll(wait, 1, 0) != 1)
		return false;
	return read(reports, ret_report, sizeof(*ret_report)) == sizeof(*ret_report);
}

/* Wait for the program to begin. The pipe closes by itself when exec succeeds. */
static int follow(struct supervisor *supervisor, int reports, int *writing)
{
	const char *name = supervisor->options->argv[0];
	int child = kernel_pidfd_open(supervisor->child, 0);
	struct report report;
	bool begun = report_take(reports, child, &report), failed;

	if (child >= 0)
		close(child);
	if (!begun) {
		say("can't run '%s': the child died early", name);
		return EXIT_BERTH;
	}
	if (report.kind != REPORT_LISTENER)
		return say_start(supervisor, &report);
	supervisor->listener = report.value;
	close(*writing); /* the child has its own by now */
	*writing = -1;
	failed = report_take(reports, -1, &report);
	if (!failed)
		return 0;
	if (report.value == ENOENT && strchr(name, '/') && access(name, F_OK) == 0)
		say("can't run '%s': the interpreter that it names is not there", name);
	else
		say("can't run '%s': %s", name, report.value == ENOENT ? "no such program" : strerror(report.value));
	return report.value == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/*
 * A child that shares our descriptors until it has its filter: so the listener
 * gets to us, though pidfd_getfd() may be refused (Docker), and though it could
 * not be sent: its sendmsg() would wait for us to answer.
 */
static pid_t fork_sharing(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
}

int program_start(struct supervisor *supervisor, const struct inherited *inherited)
{
	struct start start = { .supervisor = supervisor, .options = supervisor->options, .inherited = inherited };
	int reports[2], r = user_find(supervisor->options->user, &start.user);
	pid_t self = getpid();

	if (yama_refuses()) {
		say("can't run a program here: Yama's ptrace_scope of %ld forbids to look into it (see yama in berth doctor)",
		    yama_scope());
		return EXIT_BERTH;
	}
	if (r) {
		say("--user '%s': there is no such user or group", supervisor->options->user);
		return EXIT_BERTH;
	}
	if (pipe2(reports, O_CLOEXEC) < 0) {
		say("can't run a program: %s (see %s in berth doctor)", strerror(errno),
		    errno == EMFILE || errno == ENFILE ? "open files" : "processes");
		return EXIT_BERTH;
	}
	supervisor->child = fork_sharing();
	if (supervisor->child == 0)
		become(&start, reports[1], self);
	if (supervisor->child < 0) {
		say("can't run a program: %s (see %s in berth doctor)", strerror(errno),
		    errno == EMFILE || errno == ENFILE ? "open files" : "processes");
		r = EXIT_BERTH;
	} else {
		r = follow(supervisor, reports[0], &reports[1]);
	}
	close(reports[0]);
	if (reports[1] >= 0)
		close(reports[1]);
	return r;
}
