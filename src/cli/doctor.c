/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth doctor: can programs be run on this machine, and if not, what to do.
 */
#include "cli/cli.h"

#include <getopt.h>

#include "run/doctor.h"

enum { OPTION_JSON = 256 };

static const struct cli_option options[] = {
	{ OPTION_JSON, "json", NULL, "print the findings as JSON" },
	{ 0 },
};

static const char *const verdicts[] = { "good", "note", "bad" };

static void print_text(const struct doctor_finding *findings, size_t count)
{
	static const char *const marks[] = { "ok", "--", "NO" };

	for (size_t i = 0; i < count; i++) {
		printf("[%s] %-11s %s\n", marks[findings[i].verdict], findings[i].name, findings[i].found);
		if (findings[i].advice[0])
			printf("     %-11s %s\n", "", findings[i].advice);
	}
}

static void print_json(const struct doctor_finding *findings, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", findings[i].name, "verdict",
						      verdicts[findings[i].verdict], "found", findings[i].found,
						      "advice", findings[i].advice));
	api_print(list);
	json_decref(list);
}

static int doctor_run(const struct command *command, int argc, char **argv)
{
	struct doctor_finding findings[DOCTOR_FINDINGS];
	bool as_json = false, bad = false;
	size_t count;
	int result;

	while ((result = options_next(command, argc, argv)) > 0)
		as_json = true;
	if (result != OPTIONS_END)
		return options_exit(result);
	if (usage_no_operands(command, argc, argv))
		return CLI_USAGE;
	count = doctor_examine(findings);
	for (size_t i = 0; i < count; i++)
		bad |= findings[i].verdict == DOCTOR_BAD;
	if (as_json) {
		print_json(findings, count);
	} else {
		print_text(findings, count);
		printf("\n%s\n", bad ? "berth run can't work here: see the lines with NO."
				     : "berth run works here, as this user.");
	}
	return cli_finish(bad ? CLI_FAILED : CLI_OK);
}

const struct command command_doctor = {
	.name = "doctor",
	.usage = "[OPTIONS]",
	.summary = "Find out what works on this machine, and what to do if it does not",
	.options = options,
	.details = "Each line was tried out, in a process that is gone again.\n\n"
		   "Exit code: 0 when berth run works here; 1 when not; 125 for wrong use.\n",
	.run = doctor_run,
};
