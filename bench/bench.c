/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double bench_seconds = 0.5;
int bench_rounds = 3;

static FILE *json;
static const char *section = "", *only;
static bool first_line = true;

double clock_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

struct figure figure_of(double (*measure)(void *context), void *context)
{
	double figures[64];
	int count = bench_rounds < 64 ? bench_rounds : 64;

	for (int i = 0; i < count; i++)
		figures[i] = measure(context);
	qsort(figures, (size_t)count, sizeof(*figures), compare);
	return (struct figure){ figures[count / 2], figures[0], figures[count - 1] };
}

void report_begin(const char *title, const char *theirs)
{
	section = title;
	printf("\n%s\n  %-58s %10s %21s %10s %8s %8s\n", title, "", "Berth", "(least - most)", theirs, "ratio", "bar");
}

static void report_json(const char *what, const char *unit, struct figure ours, const struct figure *theirs, double bar)
{
	if (!json)
		return;
	fprintf(json, "%s\n  {\"section\": \"%s\", \"what\": \"%s\", \"unit\": \"%s\", \"berth\": %.6g",
		first_line ? "" : ",", section, what, unit, ours.median);
	fprintf(json, ", \"least\": %.6g, \"most\": %.6g", ours.least, ours.most);
	if (theirs)
		fprintf(json, ", \"theirs\": %.6g, \"ratio\": %.6g", theirs->median, ours.median / theirs->median);
	if (bar)
		fprintf(json, ", \"bar\": %.6g", bar);
	fprintf(json, "}");
	first_line = false;
}

void report(const char *what, const char *unit, bool less, struct figure ours, const struct figure *theirs, double bar)
{
	char label[80];

	snprintf(label, sizeof(label), "%s, %s", what, unit);
	printf("  %-58s %10.4g %9.4g - %9.4g", label, ours.median, ours.least, ours.most);
	if (theirs && theirs->median > 0)
		printf(" %10.4g %8.2f", theirs->median, ours.median / theirs->median);
	else
		printf(" %10s %8s", "-", "-");
	if (bar)
		printf(" %s%7.3g", less ? "<" : ">", bar);
	printf("\n");
	fflush(stdout);
	report_json(what, unit, ours, theirs, bar);
}

void report_end(void)
{
	if (json) {
		fprintf(json, "\n]\n");
		fclose(json);
	}
}

bool wanted(const char *part)
{
	return !only || strstr(only, part);
}

static int usage(const char *name)
{
	fprintf(stderr, "usage: %s [--seconds S] [--rounds N] [--json FILE] [--only bulk,loss,connects,echo,memory]\n",
		name);
	return 1;
}

int main(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--seconds"))
			bench_seconds = atof(argv[i + 1]);
		else if (!strcmp(argv[i], "--rounds"))
			bench_rounds = atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--only"))
			only = argv[i + 1];
		else if (!strcmp(argv[i], "--json"))
			json = fopen(argv[i + 1], "w");
		else
			return usage(argv[0]);
	}
	if (argc % 2 == 0 || bench_seconds <= 0 || bench_rounds < 1)
		return usage(argv[0]);
	if (json)
		fprintf(json, "[");
	bench_stack();
	report_end();
	return 0;
}
