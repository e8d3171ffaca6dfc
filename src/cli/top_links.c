/* SPDX-License-Identifier: BSD-2-Clause */
/* The links in berth top: each direction of each cable, and the pairs that have conditions of their own. */
#include "cli/top.h"

#include <string.h>

#include "control/json.h"

static const struct column columns[] = {
	{ .title = "FROM", .least = 11, .most = 32 },
	{ .title = "TO", .least = 11, .most = 32 },
	{ .title = "CONDITIONS", .least = 22, .most = 90 },
	{ .title = "PKT/s", .least = 5, .number = true },
	{ .title = "BYTE/s", .least = 6, .number = true },
	{ .title = "PACKETS", .least = 7, .rank = 4, .number = true },
	{ .title = "BYTES", .least = 5, .rank = 4, .number = true },
	{ .title = "ON-WAY", .least = 6, .rank = 1, .number = true },
	{ .title = "LOSS", .least = 5, .number = true },
	{ .title = "LIMIT", .least = 5, .number = true },
	{ .title = "CUT", .least = 5, .number = true },
	{ .title = "MEMORY", .least = 6, .rank = 5, .number = true },
	{ .title = "DUPL", .least = 5, .rank = 2, .number = true },
	{ .title = "REORD", .least = 5, .rank = 2, .number = true },
	{ .title = "CORR", .least = 5, .rank = 3, .number = true },
};

static void add_count(const struct moment *moment, struct rows *rows, struct row *row, const json_t *counts,
		      const json_t *before, const char *name)
{
	long long count = api_number(counts, name);

	row_count(rows, row, count, moment->before ? count - api_number(before, name) : 0);
}

static void add_link(const struct moment *moment, struct rows *rows, const json_t *link)
{
	static const char *const dropped[] = { "loss", "limit", "cut", "memory" };
	static const char *const befell[] = { "duplicated", "reordered", "corrupted" };
	const char *from = json_get_text(link, "from", ""), *to = json_get_text(link, "to", "");
	const char *conditions = api_string(link, "conditions");
	struct row *row = rows_add(rows);
	const json_t *before, *drops;

	sample_link_key(from, to, row->key);
	before = moment->before ? json_object_get(moment->before->by_key, row->key) : NULL;
	drops = json_object_get(link, "dropped");
	snprintf(row->host, sizeof(row->host), "%s", *from ? from : to);
	snprintf(row->peer, sizeof(row->peer), "%s", *from ? to : "");
	snprintf(row->direction, sizeof(row->direction), "%s", *from ? "out" : "in");
	row_text(rows, row, *from ? TONE_NAME : TONE_FAINT, "%s", *from ? from : "(network)");
	row_text(rows, row, *to ? TONE_NAME : TONE_FAINT, "%s", *to ? to : "(network)");
	row_text(rows, row,
		 !strcmp(conditions, "perfect") ? TONE_FAINT
		 : strstr(conditions, "cut")	? TONE_BAD
						: TONE_WARN,
		 "%s", conditions);
	row_amount(rows, row, moment_rate(moment, row->key, link, "packets_in"));
	row_amount(rows, row, moment_rate(moment, row->key, link, "bytes_in"));
	row_amount(rows, row, (double)api_number(link, "packets_in"));
	row_amount(rows, row, (double)api_number(link, "bytes_in"));
	row_amount(rows, row, (double)api_number(link, "under_way"));
	for (size_t i = 0; i < sizeof(dropped) / sizeof(*dropped); i++)
		add_count(moment, rows, row, drops, json_object_get(before, "dropped"), dropped[i]);
	for (size_t i = 0; i < sizeof(befell) / sizeof(*befell); i++)
		add_count(moment, rows, row, link, before, befell[i]);
}

static void build(const struct moment *moment, struct rows *rows)
{
	json_t *link;
	size_t i;

	json_array_foreach(moment->now->links, i, link)
		add_link(moment, rows, link);
}

const struct view top_view_links = {
	.name = "links",
	.label = "Links",
	.columns = columns,
	.columns_count = sizeof(columns) / sizeof(*columns),
	.build = build,
};
