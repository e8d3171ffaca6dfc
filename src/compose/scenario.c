/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios: scenario.h. */
#include "compose/scenario.h"

#include "base/random.h"

#include <stdlib.h>
#include <string.h>

struct step {
	struct action action;
	double after; /* of the step before */
};

struct verb {
	const char *key;
	const char *words; /* what goes before the step's own words */
};

/* What a step can do, in the words of the commands that do it. */
static const struct verb verbs[] = {
	{ "link", "link set" },
	{ "reset", "link reset" },
	{ "partition", "partition" },
	{ "heal", "heal" },
	{ "reset-conn", "reset-conn" },
	{ "pause", "pause" },
	{ "resume", "resume" },
	{ "kill", "kill" },
	{ "stop", "stop" },
	{ "exec", "exec" },
};

struct reader {
	struct yaml *yaml;
	struct scenario *scenario;
	char **hosts;
	struct step *step;
	double last; /* time of the step before */
};

static bool read_at(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct reader *reader = context;

	return yaml_duration(yaml, value, "at", &reader->step->action.at);
}

static bool read_after(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct reader *reader = context;

	if (!yaml_duration(yaml, value, "after", &reader->step->after))
		return false;
	reader->step->action.at = reader->last + reader->step->after;
	return true;
}

/* The words of verb and then the step's: "link: web out delay 40ms", or as a list. */
static bool read_verb(struct yaml *yaml, const struct verb *verb, struct fy_node *value, struct step *step)
{
	char **front, **own = NULL, *text;
	size_t count = 0;

	if (step->action.words)
		return yaml_fail(yaml, value, "step: it does one thing; %s is the second", verb->key);
	if (!yaml_words(yaml, value, verb->key, verb->words, &front))
		return false;
	if (yaml_is_list(value)) {
		if (!yaml_texts(yaml, value, verb->key, false, &own))
			return false;
	} else {
		text = yaml_text(yaml, value, verb->key);
		/* "heal:" and "heal: true" take nothing more */
		if (!text || !yaml_words(yaml, value, verb->key, strcmp(text, "true") ? text : "", &own))
			return false;
	}
	step->action.words = yaml_alloc(yaml, ACTION_WORDS_MAX * sizeof(char *));
	for (; *front; front++)
		step->action.words[count++] = *front;
	for (; *own && count < ACTION_WORDS_MAX - 1; own++)
		step->action.words[count++] = *own;
	if (*own)
		return yaml_fail(yaml, value, "%s: too many words", verb->key);
	step->action.line = yaml_line(value);
	return true;
}

static bool read_step_key(struct yaml *yaml, const char *key, struct fy_node *value, void *context)
{
	struct reader *reader = context;

	if (!strcmp(key, "at"))
		return read_at(yaml, value, reader);
	if (!strcmp(key, "after"))
		return read_after(yaml, value, reader);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(key, verbs[i].key))
			return read_verb(yaml, &verbs[i], value, reader->step);
	return yaml_fail(yaml, value,
			 "step: unknown key '%s' (known: at, after, link, reset, partition, heal, reset-conn, pause, "
			 "resume, kill, stop, exec)",
			 key);
}

static bool read_steps(struct yaml *yaml, struct fy_node *node, void *context)
{
	struct reader *reader = context;
	struct scenario *scenario = reader->scenario;
	size_t count;
	struct fy_node **items = yaml_items(yaml, node, "steps", false, &count);

	if (!items)
		return false;
	scenario->actions = yaml_alloc(yaml, (count + 1) * sizeof(*scenario->actions));
	for (size_t i = 0; i < count; i++) {
		struct step step = { .after = 0 };

		reader->step = &step;
		step.action.at = reader->last;
		if (!yaml_each_pair(yaml, items[i], "step", read_step_key, reader))
			return false;
		if (!step.action.words)
			return yaml_fail(yaml, items[i], "step: nothing is to be done (as in link: web delay 40ms)");
		if (step.action.at < reader->last)
			return yaml_fail(yaml, items[i], "step: it comes before the one above it");
		reader->last = step.action.at;
		scenario->actions[scenario->action_count++] = step.action;
	}
	return true;
}

static bool read_seed(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct scenario *scenario = ((struct reader *)context)->scenario;
	const char *text = yaml_text(yaml, value, "seed");
	char *end;

	if (!text)
		return false;
	scenario->seed = strtoull(text, &end, 0);
	scenario->seed_given = true;
	return (end != text && !*end && *text != '-') || yaml_fail(yaml, value, "seed: '%s' is no number", text);
}

static const char *const known_faults[] = { "partition", "cut", "loss", "delay", "rate", "pause", "reset", "kill" };

static bool read_faults(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct nemesis *nemesis = &((struct reader *)context)->scenario->nemesis;

	if (!yaml_texts(yaml, value, "faults", true, &nemesis->faults))
		return false;
	for (char **fault = nemesis->faults; *fault; fault++) {
		bool known = false;

		for (size_t i = 0; i < sizeof(known_faults) / sizeof(*known_faults); i++)
			known |= !strcmp(*fault, known_faults[i]);
		if (!known)
			return yaml_fail(
				yaml, value,
				"faults: '%s' is none of partition, cut, loss, delay, rate, pause, reset, kill",
				*fault);
	}
	return *nemesis->faults || yaml_fail(yaml, value, "faults: at least one is needed");
}

static bool read_hosts(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct reader *reader = context;
	struct nemesis *nemesis = &reader->scenario->nemesis;

	if (!yaml_texts(yaml, value, "hosts", true, &nemesis->hosts))
		return false;
	for (char **host = nemesis->hosts; *host; host++) {
		bool known = !reader->hosts;

		for (char **service = reader->hosts; service && *service; service++)
			known |= !strcmp(*service, *host);
		if (!known)
			return yaml_fail(yaml, value, "hosts: there is no service '%s'", *host);
	}
	return true;
}

#define TIME_READER(name) \
	static bool read_##name(struct yaml *yaml, struct fy_node *value, void *context) \
	{ \
		return yaml_duration(yaml, value, #name, &((struct reader *)context)->scenario->nemesis.name); \
	}
TIME_READER(every)
TIME_READER(during)
TIME_READER(start)
TIME_READER(until)

static const struct yaml_key nemesis_keys[] = {
	{ "faults", read_faults }, { "hosts", read_hosts }, { "every", read_every }, { "for", read_during },
	{ "start", read_start },   { "until", read_until }, { NULL, NULL },
};

static bool read_nemesis(struct yaml *yaml, struct fy_node *node, void *context)
{
	struct reader *reader = context;
	struct nemesis *nemesis = &reader->scenario->nemesis;
	size_t count = 0;

	*nemesis = (struct nemesis){ .given = true, .every = 5, .during = 2, .start = 1, .until = 60 };
	if (!yaml_read_map(yaml, node, "nemesis", nemesis_keys, reader))
		return false;
	if (!nemesis->hosts)
		nemesis->hosts = reader->hosts;
	for (char **host = nemesis->hosts; host && *host; host++)
		count++;
	if (!nemesis->faults)
		return yaml_fail(yaml, node, "nemesis: faults: what is it to do? (partition, loss, …)");
	if (count < 2)
		return yaml_fail(yaml, node, "nemesis: at least two hosts are needed");
	if (nemesis->every <= 0)
		return yaml_fail(yaml, node, "nemesis: every: a time above 0 is needed");
	return true;
}

static const struct yaml_key scenario_keys[] = {
	{ "seed", read_seed },
	{ "steps", read_steps },
	{ "nemesis", read_nemesis },
	{ NULL, NULL },
};

bool scenario_read(struct yaml *yaml, struct fy_node *node, char **hosts, struct scenario *scenario)
{
	struct reader reader = { .yaml = yaml, .scenario = scenario, .hosts = hosts };

	scenario->given = true;
	return yaml_read_map(yaml, node, "scenario", scenario_keys, &reader);
}

/* The drawing of faults. */
struct draw {
	struct yaml *yaml;
	struct scenario *scenario;
	struct random random;
	struct action *actions;
	size_t count, room;
};

static void add(struct draw *draw, double at, const char *format, const char *a, const char *b)
{
	char text[1024];

	if (draw->count == draw->room) {
		size_t room = draw->room ? draw->room * 2 : 64;
		struct action *grown = yaml_alloc(draw->yaml, room * sizeof(*grown));

		if (draw->count)
			memcpy(grown, draw->actions, draw->count * sizeof(*grown));
		draw->actions = grown;
		draw->room = room;
	}
	snprintf(text, sizeof(text), format, a, b);
	draw->actions[draw->count] = (struct action){ .at = at };
	yaml_words(draw->yaml, NULL, "nemesis", text, &draw->actions[draw->count++].words);
}

static unsigned below(struct draw *draw, unsigned limit)
{
	return (unsigned)(random_u64(&draw->random) % limit);
}

/* Two groups of hosts, each with one at least: "a,b" and "c". */
static void draw_groups(struct draw *draw, char left[512], char right[512])
{
	char **hosts = draw->scenario->nemesis.hosts;
	size_t count = 0;
	unsigned first, second;

	while (hosts[count])
		count++;
	first = below(draw, (unsigned)count);
	second = (first + 1 + below(draw, (unsigned)count - 1)) % (unsigned)count;
	*left = *right = 0;
	for (unsigned i = 0; i < count; i++) {
		char *side = i == first ? left : i == second ? right : below(draw, 2) ? left : right;

		if (strlen(side) + strlen(hosts[i]) + 2 < 512)
			sprintf(side + strlen(side), "%s%s", *side ? "," : "", hosts[i]);
	}
}

/* One fault at time at, and its end. Each fault is mended before the next of its kind begins. */
static void draw_fault(struct draw *draw, const char *fault, double at, double end)
{
	const struct nemesis *nemesis = &draw->scenario->nemesis;
	char left[512], right[512], *host;
	unsigned count = 0;

	while (nemesis->hosts[count])
		count++;
	host = nemesis->hosts[below(draw, count)];
	if (!strcmp(fault, "partition")) {
		draw_groups(draw, left, right);
		add(draw, at, "partition %s ! %s", left, right);
		add(draw, end, "heal", NULL, NULL);
	} else if (!strcmp(fault, "cut")) {
		add(draw, at, "link set %s cut", host, NULL);
		add(draw, end, "link set %s mend", host, NULL);
	} else if (!strcmp(fault, "pause")) {
		add(draw, at, "pause %s", host, NULL);
		add(draw, end, "resume %s", host, NULL);
	} else if (!strcmp(fault, "reset")) {
		add(draw, at, "reset-conn %s", host, NULL);
	} else if (!strcmp(fault, "kill")) {
		add(draw, at, "kill %s", host, NULL);
	} else {
		static const char *const amounts[3][3] = {
			{ "loss 1%", "loss 10%", "loss 30%" },
			{ "delay 20ms 5ms", "delay 100ms 20ms", "delay 300ms 100ms" },
			{ "rate 1mbit", "rate 5mbit", "rate 256kbit" },
		};
		unsigned kind = !strcmp(fault, "loss") ? 0 : !strcmp(fault, "delay") ? 1 : 2;
		static const char *const ends[] = { "loss 0%", "delay 0ms", "rate 0bit" };

		add(draw, at, "link set %s %s", host, amounts[kind][below(draw, 3)]);
		add(draw, end, "link set %s %s", host, ends[kind]);
	}
}

static int by_time(const void *left, const void *right)
{
	const struct action *a = left, *b = right;

	return a->at < b->at ? -1 : a->at > b->at;
}

/* Stable: of two at the same time, the one that was written first comes first. */
static void sort_actions(struct action *actions, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct action moving = actions[i];
		size_t at = i;

		for (; at && by_time(&actions[at - 1], &moving) > 0; at--)
			actions[at] = actions[at - 1];
		actions[at] = moving;
	}
}

void scenario_draw(struct yaml *yaml, struct scenario *scenario, uint64_t seed)
{
	const struct nemesis *nemesis = &scenario->nemesis;
	struct draw draw = { .yaml = yaml, .scenario = scenario };
	unsigned faults = 0;

	scenario->seed = seed;
	random_init(&draw.random, seed);
	while (nemesis->given && nemesis->faults[faults])
		faults++;
	for (double at = nemesis->start; nemesis->given && at < nemesis->until;) {
		double end = at + nemesis->during * (0.5 + below(&draw, 1000) / 1000.0);

		draw_fault(&draw, nemesis->faults[below(&draw, faults)], at, end);
		at = end + nemesis->every * (0.5 + below(&draw, 1000) / 1000.0) / 2;
	}
	if (draw.count) {
		size_t count = scenario->action_count + draw.count;
		struct action *all = yaml_alloc(yaml, count * sizeof(*all));

		if (scenario->action_count)
			memcpy(all, scenario->actions, scenario->action_count * sizeof(*all));
		memcpy(all + scenario->action_count, draw.actions, draw.count * sizeof(*all));
		sort_actions(all, count);
		scenario->actions = all;
		scenario->action_count = count;
	}
	scenario->end = scenario->action_count ? scenario->actions[scenario->action_count - 1].at : 0;
}
