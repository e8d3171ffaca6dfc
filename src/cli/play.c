/* SPDX-License-Identifier: BSD-2-Clause */
/* Playing a scenario: project.h. */
#include "cli/project.h"

#include "cli/self.h"
#include "os/clock.h"

#include <string.h>
#include <unistd.h>

static void print_action(const struct action *action, FILE *out)
{
	fprintf(out, "%8.3fs ", action->at);
	for (char **word = action->words; *word; word++)
		fprintf(out, " %s", *word);
	fputc('\n', out);
	fflush(out);
}

void project_print_scenario(const struct compose *compose, FILE *out)
{
	const struct scenario *scenario = &compose->scenario;

	fprintf(out, "seed %llu\n", (unsigned long long)scenario->seed);
	for (size_t i = 0; i < scenario->action_count; i++)
		print_action(&scenario->actions[i], out);
}

static int perform(const struct compose *compose, const struct action *action)
{
	struct self_command words = { .count = 0 };

	self_add(&words, action->words[0], "--net", compose->name, NULL);
	for (char **word = action->words + 1; *word; word++)
		self_add(&words, *word, NULL);
	return self_run(&words, compose->directory, SELF_NO_INPUT | SELF_QUIET);
}

/* Sleep until the moment, or until something stops us. */
static bool await_moment(int64_t moment, const volatile int *stop)
{
	int64_t left;

	while (!*stop && (left = moment - clock_now()) > 0)
		usleep((useconds_t)(left > 50000000 ? 50000 : left / 1000 + 1));
	return !*stop;
}

int project_play(const struct compose *compose, FILE *out, const volatile int *stop)
{
	const struct scenario *scenario = &compose->scenario;
	int64_t begun = clock_now();
	int result = CLI_OK;

	fprintf(out, "seed %llu\n", (unsigned long long)scenario->seed);
	for (size_t i = 0; i < scenario->action_count; i++) {
		const struct action *action = &scenario->actions[i];

		if (!await_moment(begun + (int64_t)(action->at * 1e9), stop))
			break;
		print_action(action, out);
		if (perform(compose, action)) {
			fprintf(out, "          failed%s\n", action->line ? "" : " (drawn by the nemesis)");
			result = CLI_FAILED;
		}
	}
	return result;
}
