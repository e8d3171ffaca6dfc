/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A scenario: what is done to a network, and when. Steps are written down, or
 * drawn by a nemesis (as Jepsen's users know it) from a seed: the same seed
 * gives the same faults at the same times.
 */
#ifndef COMPOSE_SCENARIO_H
#define COMPOSE_SCENARIO_H

#include "compose/yaml.h"

#include <stdint.h>

enum { ACTION_WORDS_MAX = 64 };

/* A berth command: words[0] is "link", "partition", "heal", "kill", … */
struct action {
	double at; /* seconds from the beginning */
	char **words;
	int line; /* 0: drawn by the nemesis */
};

struct nemesis {
	bool given;
	char **faults; /* "partition", "cut", "loss", "delay", "rate", "pause", "reset", "kill" */
	char **hosts;
	double every, during, start, until; /* seconds */
};

struct scenario {
	bool given;
	uint64_t seed;
	bool seed_given;
	struct action *actions; /* by time */
	size_t action_count;
	double end; /* when it is over */
	struct nemesis nemesis;
};

/* Read what stands under "scenario:". hosts (ended by NULL): the services, for a nemesis that names none. */
bool scenario_read(struct yaml *yaml, struct fy_node *node, char **hosts, struct scenario *scenario);
/* Draw the nemesis's actions from seed and put all in order. Once. */
void scenario_draw(struct yaml *yaml, struct scenario *scenario, uint64_t seed);

#endif
