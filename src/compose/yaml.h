/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading YAML with libfyaml: what is wrong is said with file, line and what
 * to do, once; reading stops at the first mistake. Everything that is read
 * lives as long as the file it came from.
 */
#ifndef COMPOSE_YAML_H
#define COMPOSE_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct fy_node;
struct fy_document;
struct yaml_block;

struct yaml {
	const char *path; /* as errors name it */
	struct fy_document *document;
	struct yaml_block *blocks; /* memory of what was read */
	char error[512];	   /* "berth.yaml:12: …"; empty: nothing was wrong */
};

/* Open path ("-": standard input). Returns false with the error set. yaml is then still to be closed. */
bool yaml_open(struct yaml *yaml, const char *path);
void yaml_close(struct yaml *yaml);
struct fy_node *yaml_root(struct yaml *yaml);
/* Memory that goes with yaml, zeroed. */
void *yaml_alloc(struct yaml *yaml, size_t size);
char *yaml_copy(struct yaml *yaml, const char *text);

/* The first error counts. node NULL: no line. Always false. */
bool yaml_fail(struct yaml *yaml, struct fy_node *node, const char *format, ...) __attribute__((format(printf, 3, 4)));
int yaml_line(struct fy_node *node); /* from 1; 0: not known */

bool yaml_is_map(struct fy_node *node);
bool yaml_is_list(struct fy_node *node);
bool yaml_is_text(struct fy_node *node);

/* A key of a mapping and what reads its value, with context as it came. */
struct yaml_key {
	const char *name;
	bool (*read)(struct yaml *yaml, struct fy_node *value, void *context);
};
/*
 * Read the mapping node (called what: "service web") by keys, which an entry without name ends. Unknown keys are
 * refused by name and line; those that begin with "x-" are left alone, as compose has it.
 */
bool yaml_read_map(struct yaml *yaml, struct fy_node *node, const char *what, const struct yaml_key *keys,
		   void *context);
/* Call each for every key of the mapping node; what as above. */
bool yaml_each_pair(struct yaml *yaml, struct fy_node *node, const char *what,
		    bool (*each)(struct yaml *yaml, const char *key, struct fy_node *value, void *context),
		    void *context);
/* The items of a sequence; a text alone counts as one, where alone is true. Returns NULL with the error set. */
struct fy_node **yaml_items(struct yaml *yaml, struct fy_node *node, const char *what, bool alone, size_t *ret_count);

/* A scalar with ${VARIABLE} and ${VARIABLE:-default} filled in from the environment ($$ is a dollar). NULL: error. */
char *yaml_text(struct yaml *yaml, struct fy_node *node, const char *what);
bool yaml_flag(struct yaml *yaml, struct fy_node *node, const char *what, bool *ret_flag);
bool yaml_number(struct yaml *yaml, struct fy_node *node, const char *what, double least, double most,
		 double *ret_number);
/* "1m30s", "500ms", "2.5s", or a number of seconds. */
bool yaml_duration(struct yaml *yaml, struct fy_node *node, const char *what, double *ret_seconds);
/* The same from text. Returns false when it is none. */
bool duration_parse(const char *text, double *ret_seconds);
/* A list of texts, ended by NULL. */
bool yaml_texts(struct yaml *yaml, struct fy_node *node, const char *what, bool alone, char ***ret_texts);
/* As a shell would split it into words: quotes and backslashes, nothing more. */
bool yaml_words(struct yaml *yaml, struct fy_node *node, const char *what, const char *text, char ***ret_words);

#endif
