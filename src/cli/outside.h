/* SPDX-License-Identifier: BSD-2-Clause */
/* berth run's options about what is outside the network. */
#ifndef CLI_OUTSIDE_H
#define CLI_OUTSIDE_H

#include "cli/cli.h"
#include "control/channel.h"

enum { RULES_MAX = 256, NAMESERVERS_MAX = 3 }; /* resolv.conf(5) has room for three, too */

enum { OPTION_ALLOW = 768, OPTION_DENY, OPTION_OUTBOUND, OPTION_OFFLINE, OPTION_DNS, OPTION_ALIAS, OPTION_ADD_HOST };

/* In a table of options: those that outside_option() takes. */
#define OUTSIDE_OPTIONS \
	{ OPTION_ALLOW, "allow", "WHERE[:PORT]", "let it reach an address, range or name outside" }, \
		{ OPTION_DENY, "deny", "WHERE[:PORT]", "but not this; it wins" }, \
		{ OPTION_OUTBOUND, "outbound", NULL, "let it reach everything outside" }, \
		{ OPTION_OFFLINE, "offline", NULL, "nothing outside (the default)" }, \
		{ OPTION_DNS, "dns", "ADDRESS", "ask allowed names there (default: this machine's)" }, \
		{ OPTION_ALIAS, "alias", "NAME", "one more name for this host; hosts may share one" }, \
	{ \
		OPTION_ADD_HOST, "add-host", "NAME:ADDRESS", "a name for this program alone" \
	}

struct outside {
	struct channel_rule rules[RULES_MAX];
	size_t count;
	unsigned nameservers;
	bool opens, offline;
};

/* One of them, its argument in optarg. Returns CLI_OK or CLI_USAGE. */
int outside_option(const struct command *command, int letter, struct outside *outside);
/* When all have been read: do they go together? */
int outside_check(const struct command *command, const struct outside *outside);

#endif
