/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program may reach outside the network, on the command line: --allow,
 * --deny, --outbound, --offline; and which names mean what: --dns, --add-host.
 */
#include "cli/outside.h"

#include <berth/types.h>
#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"

/* A dotted name of letters, digits, '-' and '_', not all digits at its end; perhaps with "*." in front. RFC 3696 §2 */
static bool is_name(const char *text)
{
	bool dotted = !strncmp(text, "*.", 2);
	const char *last = strrchr(text, '.');

	text += dotted ? 2 : 0;
	if (last && strspn(last + 1, "0123456789") == strlen(last + 1))
		return false; /* or a mistyped address would be a name that nobody has */
	if (strlen(text) > 253)
		return false;
	for (const char *c = text; *c; c++) {
		if (*c == '.' && (c == text || c[-1] == '.' || !c[1]))
			return false;
		dotted |= *c == '.';
		if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
			return false;
	}
	return dotted;
}

static bool number_parse(const char *text, long least, long most, long *ret_number)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	*ret_number = strtol(text, &end, 10);
	return !*end && *ret_number >= least && *ret_number <= most;
}

/* Cut text into address or name, "/N" and ":PORT". Returns the first; *ret_prefix, *ret_port NULL: not there. */
static char *cut(char *text, char **ret_prefix, char **ret_port)
{
	char *rest = text, *colon;

	*ret_prefix = *ret_port = NULL;
	if (*text == '[' && (rest = strchr(text, ']'))) {
		*rest++ = '\0';
		text++;
	} else if ((colon = strchr(text, ':')) && strchr(colon + 1, ':')) {
		rest = strchr(text, '/'); /* IPv6 without brackets: no port */
		if (rest) {
			*rest++ = '\0';
			*ret_prefix = rest;
		}
		return text;
	} else {
		rest = text;
	}
	colon = strchr(rest, ':');
	if (colon) {
		*colon++ = '\0';
		*ret_port = colon;
	}
	rest = strchr(rest, '/');
	if (rest) {
		*rest++ = '\0';
		*ret_prefix = rest;
	}
	return text;
}

/* Returns NULL, or what is wrong with it. */
static const char *rule_parse(const char *argument, struct channel_rule *rule)
{
	char text[300], *first, *prefix, *port;
	struct berth_ip ip;
	long number;

	if (snprintf(text, sizeof(text), "%s", argument) >= (int)sizeof(text))
		return "too long";
	first = cut(text, &prefix, &port);
	if (port && !number_parse(port, 1, 65535, &number))
		return "a port is a number from 1 to 65535";
	rule->port = port ? (uint16_t)number : 0;
	if (berth_ip_parse(first, &ip)) {
		if (prefix || !is_name(first))
			return "it takes an address, a range as 10.0.0.0/8, or a name with a dot";
		memcpy(rule->name, first, strlen(first) + 1); /* is_name(): 255 at most */
		return NULL;
	}
	memcpy(rule->ip, ip.bytes, sizeof(rule->ip));
	number = strchr(first, ':') ? 128 : 32;
	if (prefix && !number_parse(prefix, 0, number, &number))
		return "what follows the / is a number of bits, to 32 or 128";
	rule->prefix = (uint8_t)number;
	return NULL;
}

static int rule_add(const struct command *command, struct outside *outside, const struct channel_rule *rule)
{
	if (outside->count == RULES_MAX)
		return usage_error(command, "at most %d of --allow, --deny, --dns and --add-host", RULES_MAX);
	outside->rules[outside->count++] = *rule;
	return CLI_OK;
}

/* 127.0.0.0/8 or ::1, or a part of them. */
static bool is_loopback(const struct channel_rule *rule)
{
	struct berth_ip ip;

	memcpy(ip.bytes, rule->ip, sizeof(ip.bytes));
	return !rule->name[0] && ip_is_loopback(ip) && rule->prefix >= (ip_is4(ip) ? 8 : 128);
}

static int take_rule(const struct command *command, int letter, struct outside *outside)
{
	struct channel_rule rule = { .kind = letter == OPTION_ALLOW ? RULE_ALLOW : RULE_DENY };
	const char *wrong = rule_parse(optarg, &rule);

	if (wrong)
		return usage_error(command, "--%s '%s': %s", letter == OPTION_ALLOW ? "allow" : "deny", optarg, wrong);
	if (letter == OPTION_ALLOW && is_loopback(&rule))
		return usage_error(command,
				   "--allow '%s': that is the program's own host; to reach this machine, "
				   "give another address of this machine's",
				   optarg);
	outside->opens |= letter == OPTION_ALLOW;
	return rule_add(command, outside, &rule);
}

static int take_dns(const struct command *command, struct outside *outside)
{
	struct channel_rule rule = { .kind = RULE_NAMESERVER };
	struct berth_ip ip;

	if (berth_ip_parse(optarg, &ip))
		return usage_error(command, "--dns '%s': that is no IP address", optarg);
	if (outside->nameservers++ == NAMESERVERS_MAX)
		return usage_error(command, "at most %d of --dns", NAMESERVERS_MAX);
	memcpy(rule.ip, ip.bytes, sizeof(rule.ip));
	return rule_add(command, outside, &rule);
}

/* NAME:ADDRESS, or NAME=ADDRESS, as Docker has it since 25. */
static int take_host(const struct command *command, struct outside *outside)
{
	struct channel_rule rule = { .kind = RULE_HOST };
	const char *colon = strpbrk(optarg, ":=");
	size_t length = colon ? (size_t)(colon - optarg) : 0;
	char address[64];
	struct berth_ip ip;

	if (!length || length >= sizeof(rule.name))
		return usage_error(command, "--add-host '%s': it takes NAME:ADDRESS", optarg);
	memcpy(rule.name, optarg, length);
	if (!name_is_host(rule.name) && !is_name(rule.name))
		return usage_error(command, "--add-host '%s': '%s' is no host's name", optarg, rule.name);
	snprintf(address, sizeof(address), "%s", colon + 1);
	length = strlen(address);
	if (address[0] == '[' && address[length - 1] == ']') {
		address[length - 1] = '\0';
		memmove(address, address + 1, length - 1);
	}
	if (berth_ip_parse(address, &ip))
		return usage_error(command, "--add-host '%s': '%s' is no IP address", optarg, address);
	memcpy(rule.ip, ip.bytes, sizeof(rule.ip));
	return rule_add(command, outside, &rule);
}

static int take_alias(const struct command *command, struct outside *outside)
{
	struct channel_rule rule = { .kind = RULE_ALIAS };

	if (strlen(optarg) >= sizeof(rule.name) || !name_is_host(optarg))
		return usage_error(command, "--alias '%s': that is no host's name", optarg);
	strcpy(rule.name, optarg);
	return rule_add(command, outside, &rule);
}

int outside_option(const struct command *command, int letter, struct outside *outside)
{
	struct channel_rule all = { .kind = RULE_ALL };

	switch (letter) {
	case OPTION_ALLOW:
	case OPTION_DENY:
		return take_rule(command, letter, outside);
	case OPTION_OUTBOUND:
		outside->opens = true;
		return rule_add(command, outside, &all);
	case OPTION_OFFLINE:
		outside->offline = true;
		return CLI_OK;
	case OPTION_DNS:
		return take_dns(command, outside);
	case OPTION_ALIAS:
		return take_alias(command, outside);
	default: /* OPTION_ADD_HOST */
		return take_host(command, outside);
	}
}

int outside_check(const struct command *command, const struct outside *outside)
{
	if (outside->offline && outside->opens)
		return usage_error(command, "--offline and %s do not go together", "--allow or --outbound");
	return CLI_OK;
}
