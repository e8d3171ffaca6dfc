/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth test: bring a network up, run a program on it, take it down; and when
 * something went wrong, keep what explains it: capture, logs and journal.
 */
#include "cli/project.h"
#include "cli/self.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"

enum { OPTION_NET = 256, OPTION_KEEP, OPTION_SEED, OPTION_OUTSIDE, OPTION_ALWAYS, SETTLE_MS = 100 };

static const struct cli_option options[] = {
	{ 'f', "file", "FILE", "the network's file (default: berth.yaml)" },
	{ OPTION_OUTSIDE, "outside", NULL, "run the program on the real machine, not as host \"test\" on the network" },
	{ OPTION_KEEP, "keep", "DIRECTORY", "where to keep what explains a failure (default: berth-test-NETWORK)" },
	{ OPTION_ALWAYS, "always", NULL, "keep it when all went well, too" },
	{ OPTION_SEED, "seed", "NUMBER", "of the scenario's nemesis (default: the file's, else a new one)" },
	{ OPTION_NET, "net", "NETWORK", "call the network so (default: the file's, with this process's number)" },
	{ 0 },
};

struct trial {
	const struct command *command;
	const char *file, *network, *keep, *seed;
	bool outside, always;
	char **program;
	struct compose compose;
	char directory[256];
	pid_t capture, events, player;
};

static pid_t program_pid; /* whom signals are passed on to */

static void pass_on(int number)
{
	if (program_pid > 0)
		kill(program_pid, number);
}

/* A file in the directory that is kept. */
static void path_in(const struct trial *trial, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", trial->directory, name);
}

static int make_directory(struct trial *trial)
{
	if (trial->keep)
		snprintf(trial->directory, sizeof(trial->directory), "%s", trial->keep);
	else
		snprintf(trial->directory, sizeof(trial->directory), "berth-test-%s", trial->compose.name);
	if (mkdir(trial->directory, 0777) < 0 && errno != EEXIST) {
		fprintf(stderr, "berth test: %s: %s\n", trial->directory, strerror(errno));
		return CLI_FAILED;
	}
	return CLI_OK;
}

static pid_t start_recorder(const struct trial *trial, const char *file, struct self_command *words)
{
	char path[400];
	int fd;
	pid_t pid;

	path_in(trial, file, path, sizeof(path));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return -1;
	pid = self_start(words, NULL, SELF_NO_INPUT, fd);
	close(fd);
	return pid;
}

static void start_recording(struct trial *trial)
{
	struct self_command capture = { .count = 0 }, events = { .count = 0 };

	self_add(&capture, "capture", "--net", trial->compose.name, NULL);
	self_add(&events, "events", "--net", trial->compose.name, "--json", "-f", NULL);
	trial->capture = start_recorder(trial, "capture.pcapng", &capture);
	trial->events = start_recorder(trial, "events.jsonl", &events);
}

static void stop_one(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGTERM); /* not SIGINT, which a shell without job control has its background ignore */
	waitpid(pid, NULL, 0);
}

static void save_logs(const struct trial *trial)
{
	for (size_t i = 0; i < trial->compose.service_count; i++) {
		struct self_command words = { .count = 0 };
		char file[100];
		pid_t pid;

		snprintf(file, sizeof(file), "%.64s.log", trial->compose.services[i].name);
		self_add(&words, "logs", "-t", "--net", trial->compose.name, trial->compose.services[i].name, NULL);
		pid = start_recorder(trial, file, &words);
		if (pid > 0)
			self_wait(pid, 0);
	}
}

/* The scenario plays beside the program, as a process of its own. */
static void start_player(struct trial *trial)
{
	static volatile int never;
	char path[400];
	FILE *out;

	if (!trial->compose.scenario.given)
		return;
	path_in(trial, "scenario.log", path, sizeof(path));
	fflush(NULL);
	trial->player = fork();
	if (trial->player)
		return;
	out = fopen(path, "we");
	if (out)
		project_play(&trial->compose, out, &never);
	_exit(0);
}

static int run_program(struct trial *trial)
{
	struct self_command words = { .count = 0 };
	int code;

	if (trial->outside) {
		program_pid = fork();
		if (program_pid == 0) {
			execvp(trial->program[0], trial->program);
			fprintf(stderr, "berth test: %s: %s\n", trial->program[0], strerror(errno));
			_exit(errno == ENOENT ? 127 : 126);
		}
	} else {
		self_add(&words, "run", "--net", trial->compose.name, "--name", "test", "--", NULL);
		for (char **word = trial->program; *word; word++)
			self_add(&words, *word, NULL);
		program_pid = self_start(&words, NULL, 0, -1);
	}
	signal(SIGINT, pass_on);
	signal(SIGTERM, pass_on);
	code = self_wait(program_pid, 0);
	program_pid = 0;
	return code < 0 ? CLI_FAILED : code;
}

static void remove_kept(const struct trial *trial)
{
	static const char *const files[] = { "capture.pcapng", "events.jsonl", "scenario.log" };
	char path[400], file[100];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		path_in(trial, files[i], path, sizeof(path));
		unlink(path);
	}
	for (size_t i = 0; i < trial->compose.service_count; i++) {
		snprintf(file, sizeof(file), "%.64s.log", trial->compose.services[i].name);
		path_in(trial, file, path, sizeof(path));
		unlink(path);
	}
	rmdir(trial->directory); /* what somebody else put there stays */
}

static int perform(struct trial *trial)
{
	int code = make_directory(trial);

	if (code)
		return code;
	code = project_up(trial->command, &trial->compose, true);
	start_recording(trial);
	if (!code) {
		usleep(SETTLE_MS * 1000); /* for the recorders to be there */
		start_player(trial);
		code = run_program(trial);
	}
	stop_one(trial->player);
	if (code || trial->always)
		save_logs(trial);
	stop_one(trial->capture);
	stop_one(trial->events);
	project_down(trial->command, &trial->compose, true);
	if (!code && !trial->always) {
		remove_kept(trial);
		return code;
	}
	fprintf(stderr, "berth test: %s (exit code %d); what happened is in %s", code ? "it failed" : "it went well",
		code, trial->directory);
	if (trial->compose.scenario.given)
		fprintf(stderr, ", and --seed %llu does the same faults again",
			(unsigned long long)trial->compose.scenario.seed);
	fputc('\n', stderr);
	return code;
}

static int parse(struct trial *trial, int argc, char **argv)
{
	int result;

	while ((result = options_next(trial->command, argc, argv)) > 0) {
		if (result == 'f')
			trial->file = optarg;
		else if (result == OPTION_OUTSIDE)
			trial->outside = true;
		else if (result == OPTION_KEEP)
			trial->keep = optarg;
		else if (result == OPTION_ALWAYS)
			trial->always = true;
		else if (result == OPTION_SEED)
			trial->seed = optarg;
		else
			trial->network = optarg;
	}
	trial->program = argv + optind;
	return result;
}

static int take_seed(struct trial *trial)
{
	struct scenario *scenario = &trial->compose.scenario;
	char *end;

	if (!scenario->seed_given)
		scenario->seed = (uint64_t)clock_wall_ns() % 1000000007;
	if (trial->seed) {
		scenario->seed = strtoull(trial->seed, &end, 0);
		if (end == trial->seed || *end || *trial->seed == '-')
			return usage_error(trial->command, "--seed: '%s' is no number", trial->seed);
	}
	if (scenario->given)
		scenario_draw(&trial->compose.yaml, scenario, scenario->seed);
	return CLI_OK;
}

/* Tests that run side by side must not meet. */
static int choose_name(struct trial *trial)
{
	char name[80];

	if (trial->network)
		return project_rename(trial->command, &trial->compose, trial->network);
	snprintf(name, sizeof(name), "%.20s-%d", trial->compose.name, getpid());
	return project_rename(trial->command, &trial->compose, name);
}

static int test_run(const struct command *command, int argc, char **argv)
{
	struct trial trial = { .command = command };
	int result = parse(&trial, argc, argv), code;

	if (result != OPTIONS_END)
		return options_exit(result);
	if (!*trial.program)
		return usage_error(command, "no program: what is the test? (berth test -- pytest)");
	code = project_open(command, trial.file, &trial.compose);
	if (code)
		return code;
	code = choose_name(&trial);
	if (!code)
		code = take_seed(&trial);
	if (!code)
		code = perform(&trial);
	compose_close(&trial.compose);
	return cli_finish(code);
}

const struct command command_test = {
	.name = "test",
	.usage = "[OPTIONS] [--] PROGRAM [ARGUMENTS]",
	.summary = "Run a test on a network that a file describes, and keep what explains a failure",
	.options = options,
	.details = "Starts the file's services (on a network of this test's own), plays its scenario if it\n"
		   "has one, runs PROGRAM as host \"test\" among them, and ends everything. When PROGRAM\n"
		   "fails, DIRECTORY has a capture of all packets, the journal of events, each service's\n"
		   "log, and what the scenario did.\n\n"
		   "  berth test -f berth.yaml -- pytest\n\n"
		   "Exit code: PROGRAM's own; 1 when a service could not be started; 125 when the file makes\n"
		   "no sense.\n",
	.run = test_run,
	.program_follows = true,
};
