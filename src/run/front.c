/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth run's own process, "front": what the shell sees. It forks the
 * supervisor, which forks the program; all three are in one process group, so
 * the terminal treats the program as if it had been started by itself.
 *
 *	front		passes on signals that only it was sent; stops when the
 *			program stops; exits as the program did
 *	supervisor	answers the program's calls (supervisor.h)
 *	program		and whatever it forks
 *
 * Whoever is killed takes the rest along: the program dies with the supervisor
 * (PR_SET_PDEATHSIG); the supervisor is told of front's death the same way and
 * kills everything; front, a subreaper, inherits and kills what a killed
 * supervisor leaves.
 */
#include "run/start.h"

#include "control/paths.h"
#include "os/process.h"
#include "run/detach.h"
#include "run/filter.h"

#include <fcntl.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Between us: the kernel's and the user's signals never look like these (sigqueue, and who sent it). */
#define SIGNAL_STOPPED (SIGRTMAX - 1) /* supervisor to front: the program stopped; or, negative, what ended it */
#define SIGNAL_FORWARD (SIGRTMAX - 2) /* front to supervisor: pass this on */
#define SIGNAL_ORPHAN (SIGRTMAX - 3)  /* the kernel to the supervisor: front died */

/* --fail-on-leak: say what was denied. Returns the exit code that there is now. */
static int say_leaks(struct supervisor *supervisor, int code)
{
	struct channel_message message = { .type = CHANNEL_DENIED };
	char *text = calloc(1, CHANNEL_PAYLOAD_MAX + 1), *line, *rest;
	int r = text ? line_ask(supervisor, &supervisor->lines[LINE_EVENTS], &message, NULL, 0, text,
				CHANNEL_PAYLOAD_MAX)
		     : -ENOMEM;

	if (r >= 0 && message.value > 0) {
		for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
			say("--fail-on-leak: %s", line);
		code = code ? code : EXIT_BERTH;
	}
	free(text);
	return code;
}

static int supervisor_main(struct supervisor *supervisor, const struct inherited *inherited)
{
	struct channel_message message = { .type = CHANNEL_EXIT };
	int code;

	prctl(PR_SET_PDEATHSIG, SIGNAL_ORPHAN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_NAME, PROCESS_RUN_NAME);
	if (getppid() != supervisor->front)
		return EXIT_BERTH;
	code = program_start(supervisor, inherited);
	message.flags = code ? CHANNEL_UNSTARTED : 0;
	if (!code) {
		detach_self(supervisor, supervisor->name);
		code = supervise(supervisor);
	}
	/* As in a container, what the program leaves behind ends with it. */
	descendants_kill();
	if (supervisor->options->fail_on_leak && !message.flags)
		code = say_leaks(supervisor, code);
	message.value = code;
	line_tell(supervisor, &supervisor->lines[LINE_EVENTS], &message, NULL, 0, -1);
	return code;
}

/* Stop as the program did, so that the shell says the same of us: SIGTSTP, SIGTTIN, … are not SIGSTOP. */
static void stop_by(int number)
{
	sigset_t set;

	if (number != SIGTSTP && number != SIGTTIN && number != SIGTTOU)
		number = SIGSTOP;
	sigemptyset(&set);
	sigaddset(&set, number);
	kill(getpid(), number);
	sigprocmask(SIG_UNBLOCK, &set, NULL); /* here we stop, and here we go on */
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/*
 * A signal for us. Those of the terminal went to the whole group: they have come to the program, too.
 * Returns what the supervisor says has ended the program, or 0.
 */
static int take_signal(pid_t supervisor, const siginfo_t *info)
{
	if (info->si_signo == SIGNAL_STOPPED && info->si_code == SI_QUEUE && info->si_pid == supervisor) {
		if (info->si_value.sival_int < 0)
			return -info->si_value.sival_int;
		stop_by(info->si_value.sival_int);
		return 0;
	}
	if (info->si_signo == SIGCHLD || info->si_code > 0)
		return 0;
	sigqueue(supervisor, SIGNAL_FORWARD, (union sigval){ .sival_int = info->si_signo });
	return 0;
}

/* Die of the signal, as the program did: a shell goes on with a loop unless SIGINT has ended what it waited for. */
static void die_of(int number)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	sigaction(number, &standard, NULL);
	kill(getpid(), number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Said before it ended, and perhaps not taken yet. */
static int take_last_word(pid_t supervisor)
{
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGNAL_STOPPED);
	while (sigtimedwait(&set, &info, &(struct timespec){ 0 }) > 0)
		if (info.si_code == SI_QUEUE && info.si_pid == supervisor && info.si_value.sival_int < 0)
			return -info.si_value.sival_int;
	return 0;
}

/* Returns the exit code. */
static int front_run(pid_t supervisor)
{
	sigset_t all;
	int status, killer = 0;

	sigfillset(&all);
	for (;;) {
		pid_t pid;
		siginfo_t info;

		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == supervisor)
				goto ended;
		if (pid < 0 && errno == ECHILD)
			return EXIT_BERTH;
		if (sigwaitinfo(&all, &info) > 0)
			killer |= take_signal(supervisor, &info);
	}
ended:
	killer |= take_last_word(supervisor); /* it is said once */
	if (killer == SIGINT)
		die_of(killer);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	say("the supervisor was killed by signal %d; what it ran is killed, too", WTERMSIG(status));
	descendants_kill();
	return EXIT_BERTH;
}

static void inherited_take(struct inherited *inherited)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &inherited->mask);
	/* Ignored, it would reap the supervisor for us. */
	sigaction(SIGCHLD, &standard, &inherited->child);
}

/* 0, 1 and 2 are there, so that nothing of ours becomes one of them. */
static void open_standard(void)
{
	while (true) {
		int fd = open("/dev/null", O_RDWR);

		if (fd < 0)
			return;
		if (fd > STDERR_FILENO) {
			close(fd);
			return;
		}
		fcntl(fd, F_SETFD, FD_CLOEXEC); /* the program finds them closed, as they were */
	}
}

static void lines_close(struct supervisor *supervisor)
{
	for (int i = 0; i < LINE_COUNT; i++)
		line_close(&supervisor->lines[i]);
}

/* Join the network, and run the program there. Returns the exit code. */
static int run_on_network(struct supervisor *supervisor, const struct inherited *inherited)
{
	pid_t pid;

	if (network_join(supervisor) || (supervisor->options->detach && detach_outputs(supervisor))) {
		lines_close(supervisor);
		if (!supervisor->options->exec)
			network_clean(supervisor->options->network); /* a directory that we made and nobody uses */
		return EXIT_BERTH;
	}
	/* The daemon, if it was started here, must not become ours: no subreaper before. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	process_harden(); /* and so is the supervisor; the program is not, once it is executed */
	pid = fork();
	if (pid == 0)
		_exit(supervisor_main(supervisor, inherited));
	lines_close(supervisor);
	if (pid < 0) {
		say("can't run a program: %s (see processes in berth doctor)", strerror(errno));
		return EXIT_BERTH;
	}
	detach_self(supervisor, NULL);
	return front_run(pid);
}

int run_program(const struct run_options *options)
{
	struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
	const char *reason = filter_unsupported();
	struct inherited inherited;
	int code = -1;

	open_standard();
	if (reason || !supervisor) {
		say("%s%s", reason ? reason : "no memory", reason ? " (see kernel in berth doctor)" : "");
		free(supervisor);
		return EXIT_BERTH;
	}
	inherited_take(&inherited);
	supervisor_prepare(supervisor);
	supervisor->options = options;
	if (options->detach)
		code = detach_begin(supervisor);
	supervisor->front = getpid();
	if (code < 0)
		code = run_on_network(supervisor, &inherited);
	lines_close(supervisor);
	free(supervisor);
	return code;
}
