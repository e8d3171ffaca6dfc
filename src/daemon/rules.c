/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/rules.h"

#include "base/ip.h"
#include "daemon/journal.h"
#include "daemon/record.h"
#include "daemon/report.h"
#include "daemon/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct rules *rules_of(struct host *host)
{
	struct rules *rules;

	if (!host->record)
		return NULL;
	if (host->record->rules)
		return host->record->rules;
	rules = calloc(1, sizeof(*rules));
	if (!rules)
		return NULL;
	list_init(&rules->rules);
	list_init(&rules->names);
	list_init(&rules->denied);
	list_init(&rules->lookups);
	host->record->rules = rules;
	return rules;
}

void rules_free(struct rules *rules)
{
	if (!rules)
		return;
	lookups_end(rules);
	LIST_EACH_SAFE(&rules->rules, node)
		free(LIST_ITEM(node, struct rule, node));
	LIST_EACH_SAFE(&rules->names, node)
		free(LIST_ITEM(node, struct rule, node));
	LIST_EACH_SAFE(&rules->denied, node)
		free(LIST_ITEM(node, struct denied, node));
	free(rules->learnt);
	free(rules);
}

static struct berth_ip ip_of_rule(const struct rule *rule)
{
	struct berth_ip ip;

	memcpy(ip.bytes, rule->rule.ip, sizeof(ip.bytes));
	return ip;
}

int rules_add(struct host *host, const struct channel_rule *wanted)
{
	struct rules *rules = rules_of(host);
	struct rule *rule;

	if (!rules)
		return -ENOMEM;
	if (wanted->kind == RULE_ALIAS)
		return berth_host_add_name(host->host, wanted->name);
	if (wanted->kind == RULE_ALL) {
		rules->all = true;
		return 0;
	}
	if (rules->rule_count == RULES_MAX)
		return -ENOSPC;
	rule = malloc(sizeof(*rule));
	if (!rule)
		return -ENOMEM;
	rule->rule = *wanted;
	rule->rule.name[sizeof(rule->rule.name) - 1] = 0;
	rules->rule_count++;
	if (wanted->kind == RULE_NAMESERVER) {
		if (rules->nameserver_count < NAMESERVERS_MAX)
			rules->nameservers[rules->nameserver_count++] = ip_of_rule(rule);
		free(rule);
	} else {
		list_append(wanted->kind == RULE_HOST ? &rules->names : &rules->rules, &rule->node);
	}
	return 0;
}

static bool ip_matches(const struct rule *rule, const struct berth_endpoint *to)
{
	struct berth_ip ip = ip_of_rule(rule);

	return !rule->rule.name[0] && (!rule->rule.port || rule->rule.port == to->port) &&
	       ip_is4(ip) == ip_is4(to->ip) && ip_in_prefix(to->ip, ip, rule->rule.prefix);
}

bool rules_allow(struct host *host, const struct berth_endpoint *to)
{
	struct rules *rules = host->record ? host->record->rules : NULL;
	bool allowed = rules && rules->all;

	if (!rules)
		return false;
	LIST_EACH(&rules->rules, node) {
		const struct rule *rule = LIST_ITEM(node, struct rule, node);
		if (!ip_matches(rule, to))
			continue;
		if (rule->rule.kind == RULE_DENY)
			return false;
		allowed = true;
	}
	for (size_t i = 0; i < rules->learnt_count && !allowed; i++)
		allowed = ip_equal(rules->learnt[i].ip, to->ip) &&
			  (!rules->learnt[i].port || rules->learnt[i].port == to->port);
	return allowed;
}

/* "example.com", or "*.example.com" for all below it. */
static bool name_matches(const struct rule *rule, const char *name)
{
	const char *wanted = rule->rule.name;
	size_t length = strlen(name), tail = strlen(wanted);

	if (!strncmp(wanted, "*.", 2))
		return length > tail - 1 && !strcasecmp(name + length - (tail - 1), wanted + 1);
	return tail && !strcasecmp(name, wanted);
}

bool rules_allow_name(struct host *host, const char *name)
{
	struct rules *rules = host->record ? host->record->rules : NULL;
	bool allowed = rules && rules->all;

	if (!rules)
		return false;
	LIST_EACH(&rules->rules, node) {
		const struct rule *rule = LIST_ITEM(node, struct rule, node);
		if (!name_matches(rule, name))
			continue;
		if (rule->rule.kind == RULE_DENY && !rule->rule.port)
			return false;
		allowed |= rule->rule.kind == RULE_ALLOW;
	}
	return allowed;
}

static void learn(struct rules *rules, struct berth_ip ip, uint16_t port)
{
	struct learnt *grown;

	for (size_t i = 0; i < rules->learnt_count; i++)
		if (ip_equal(rules->learnt[i].ip, ip) && rules->learnt[i].port == port)
			return;
	if (rules->learnt_count == LEARNT_MAX)
		return;
	grown = realloc(rules->learnt, (rules->learnt_count + 1) * sizeof(*grown));
	if (!grown)
		return;
	rules->learnt = grown;
	grown[rules->learnt_count++] = (struct learnt){ .ip = ip, .port = port };
}

/* What a name is denied at one port is denied at its addresses, too: a rule of its own. */
static void learn_denied(struct rules *rules, const struct rule *rule, struct berth_ip ip)
{
	struct berth_endpoint to = { .ip = ip, .port = rule->rule.port };
	struct rule *copy;

	LIST_EACH(&rules->rules, node) {
		const struct rule *known = LIST_ITEM(node, struct rule, node);
		if (known->rule.kind == RULE_DENY && ip_matches(known, &to))
			return;
	}
	copy = rules->rule_count < RULES_MAX ? malloc(sizeof(*copy)) : NULL;
	if (!copy)
		return;
	rules->rule_count++;
	copy->rule =
		(struct channel_rule){ .kind = RULE_DENY, .prefix = ip_is4(ip) ? 32 : 128, .port = rule->rule.port };
	memcpy(copy->rule.ip, ip.bytes, sizeof(ip.bytes));
	list_append(&rules->rules, &copy->node);
}

void rules_learn(struct rules *rules, const char *name, struct berth_ip ip)
{
	LIST_EACH(&rules->rules, node) {
		const struct rule *rule = LIST_ITEM(node, struct rule, node);
		if (!name_matches(rule, name))
			continue;
		if (rule->rule.kind == RULE_ALLOW)
			learn(rules, ip, rule->rule.port);
		else
			learn_denied(rules, rule, ip);
	}
}

bool rules_own_name(struct host *host, const char *name, bool six, struct berth_ip *ret_ip, bool *ret_exists)
{
	struct rules *rules = host->record ? host->record->rules : NULL;

	*ret_exists = false;
	if (!rules)
		return false;
	LIST_EACH(&rules->names, node) {
		const struct rule *rule = LIST_ITEM(node, struct rule, node);
		if (strcasecmp(rule->rule.name, name))
			continue;
		*ret_exists = true;
		*ret_ip = ip_of_rule(rule);
		if (ip_is4(*ret_ip) != six)
			return true;
	}
	return false;
}

static struct denied *denied_entry(struct rules *rules, const char *command, const char *to)
{
	struct denied *denied;

	LIST_EACH(&rules->denied, node) {
		denied = LIST_ITEM(node, struct denied, node);
		if (!strcmp(denied->command, command) && !strcmp(denied->to, to))
			return denied;
	}
	denied = rules->denied_entries < DENIED_MAX ? calloc(1, sizeof(*denied)) : NULL;
	if (!denied)
		return NULL;
	snprintf(denied->command, sizeof(denied->command), "%s", command);
	snprintf(denied->to, sizeof(denied->to), "%s", to);
	list_append(&rules->denied, &denied->node);
	rules->denied_entries++;
	return denied;
}

void rules_deny(struct host *host, const char *command, const char *to)
{
	struct rules *rules = rules_of(host);
	struct denied *denied = rules ? denied_entry(rules, command, to) : NULL;

	if (rules)
		rules->denied_count++;
	if (denied)
		denied->count++;
	journal_note(host, JOURNAL_POLICY, "denied", "%s to %s", command, to);
}

size_t rules_denied_text(struct host *host, char *text, size_t room, uint64_t *ret_count)
{
	struct rules *rules = host->record ? host->record->rules : NULL;
	size_t length = 0;

	*ret_count = rules ? rules->denied_count : 0;
	if (!rules)
		return 0;
	LIST_EACH(&rules->denied, node) {
		const struct denied *denied = LIST_ITEM(node, struct denied, node);
		int n = snprintf(text + length, room - length, "%s tried to reach %s, %llu time%s\n", denied->command,
				 denied->to, (unsigned long long)denied->count, denied->count == 1 ? "" : "s");
		if (n < 0 || (size_t)n >= room - length)
			break;
		length += (size_t)n;
	}
	return length;
}

json_t *rules_report_denied(const struct rules *rules)
{
	json_t *list = json_array();

	if (!rules)
		return list;
	LIST_EACH((struct list *)&rules->denied, node) {
		const struct denied *denied = LIST_ITEM(node, struct denied, node);
		json_array_append_new(list, json_pack("{s:o, s:s, s:I}", "command", report_text(denied->command),
						      "destination", denied->to, "count", (json_int_t)denied->count));
	}
	return list;
}
