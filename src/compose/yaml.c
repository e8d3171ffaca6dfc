/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading YAML: yaml.h. */
#include "compose/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <libfyaml.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct yaml_block {
	struct yaml_block *next;
	_Alignas(16) char bytes[];
};

void *yaml_alloc(struct yaml *yaml, size_t size)
{
	struct yaml_block *block = calloc(1, sizeof(*block) + size);

	if (!block) { /* a command line program: there is nothing to be saved */
		fputs("berth: no memory\n", stderr);
		exit(1);
	}
	block->next = yaml->blocks;
	yaml->blocks = block;
	return block->bytes;
}

char *yaml_copy(struct yaml *yaml, const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(yaml_alloc(yaml, size), text, size);
}

/* The first scalar in it: mappings and sequences have no token of their own. */
static struct fy_node *first_scalar(struct fy_node *node)
{
	while (node && !fy_node_is_scalar(node)) {
		if (fy_node_is_sequence(node))
			node = fy_node_sequence_get_by_index(node, 0);
		else
			node = fy_node_pair_key(fy_node_mapping_get_by_index(node, 0));
	}
	return node;
}

int yaml_line(struct fy_node *node)
{
	struct fy_node *scalar = first_scalar(node);
	struct fy_token *token = scalar ? fy_node_get_scalar_token(scalar) : NULL;
	const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;

	return mark ? mark->line + 1 : 0;
}

bool yaml_fail(struct yaml *yaml, struct fy_node *node, const char *format, ...)
{
	va_list arguments;
	size_t used;

	if (*yaml->error)
		return false;
	snprintf(yaml->error, sizeof(yaml->error), yaml_line(node) ? "%.200s:%d: " : "%.200s: ", yaml->path,
		 yaml_line(node));
	used = strlen(yaml->error);
	va_start(arguments, format);
	vsnprintf(yaml->error + used, sizeof(yaml->error) - used, format, arguments);
	va_end(arguments);
	return false;
}

/* The parser's own first complaint. */
static void take_complaint(struct yaml *yaml, struct fy_diag *diag)
{
	struct fy_diag_error *error;
	void *iterator = NULL;

	error = fy_diag_errors_iterate(diag, &iterator);
	if (error)
		snprintf(yaml->error, sizeof(yaml->error), "%.200s:%d: %.250s", yaml->path, error->line + 1,
			 error->msg);
	else
		yaml_fail(yaml, NULL, "it is empty, or no YAML");
}

bool yaml_open(struct yaml *yaml, const char *path)
{
	struct fy_parse_cfg config = { .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_RESOLVE_DOCUMENT };
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	struct fy_diag_cfg complaints;

	*yaml = (struct yaml){ .path = path };
	if (!file)
		return yaml_fail(yaml, NULL, "%s", strerror(errno));
	/* What is wrong is collected, and said by us; some of it libfyaml would write to stderr as well. */
	fy_diag_cfg_default(&complaints);
	complaints.fp = fopen("/dev/null", "we");
	config.diag = complaints.fp ? fy_diag_create(&complaints) : NULL;
	if (!config.diag) {
		if (file != stdin)
			fclose(file);
		return yaml_fail(yaml, NULL, "no memory");
	}
	fy_diag_set_collect_errors(config.diag, true);
	yaml->document = fy_document_build_from_fp(&config, file);
	if (!yaml->document)
		take_complaint(yaml, config.diag);
	fy_diag_destroy(config.diag);
	fclose(complaints.fp);
	if (file != stdin)
		fclose(file);
	if (yaml->document && !fy_document_root(yaml->document))
		return yaml_fail(yaml, NULL, "it is empty");
	return yaml->document;
}

void yaml_close(struct yaml *yaml)
{
	while (yaml->blocks) {
		struct yaml_block *next = yaml->blocks->next;

		free(yaml->blocks);
		yaml->blocks = next;
	}
	if (yaml->document)
		fy_document_destroy(yaml->document);
	yaml->document = NULL;
}

struct fy_node *yaml_root(struct yaml *yaml)
{
	return fy_document_root(yaml->document);
}

bool yaml_is_map(struct fy_node *node)
{
	return node && fy_node_is_mapping(node);
}

bool yaml_is_list(struct fy_node *node)
{
	return node && fy_node_is_sequence(node);
}

bool yaml_is_text(struct fy_node *node)
{
	return node && fy_node_is_scalar(node);
}

bool yaml_each_pair(struct yaml *yaml, struct fy_node *node, const char *what,
		    bool (*each)(struct yaml *yaml, const char *key, struct fy_node *value, void *context),
		    void *context)
{
	struct fy_node_pair *pair;
	void *iterator = NULL;

	if (!yaml_is_map(node))
		return yaml_fail(yaml, node, "%s: names with values (a mapping) are expected", what);
	while ((pair = fy_node_mapping_iterate(node, &iterator))) {
		struct fy_node *key = fy_node_pair_key(pair), *value = fy_node_pair_value(pair);
		const char *name = yaml_is_text(key) ? fy_node_get_scalar0(key) : NULL;

		if (!name)
			return yaml_fail(yaml, key ? key : node, "%s: a name is expected as the key", what);
		if (!each(yaml, yaml_copy(yaml, name), value ? value : key, context))
			return yaml_fail(yaml, key, "%s: %s makes no sense", what, name);
	}
	return true;
}

struct map_reader {
	const char *what;
	const struct yaml_key *keys;
	void *context;
};

static bool read_key(struct yaml *yaml, const char *name, struct fy_node *value, void *context)
{
	const struct map_reader *reader = context;
	char known[300] = "";
	size_t used = 0;

	if (!strncmp(name, "x-", 2))
		return true;
	for (const struct yaml_key *key = reader->keys; key->name; key++) {
		if (!strcmp(key->name, name))
			return key->read(yaml, value, reader->context);
		if (used < sizeof(known))
			used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "",
						 key->name);
	}
	return yaml_fail(yaml, value, "%s: unknown key '%s' (known: %s)", reader->what, name, known);
}

bool yaml_read_map(struct yaml *yaml, struct fy_node *node, const char *what, const struct yaml_key *keys,
		   void *context)
{
	struct map_reader reader = { what, keys, context };

	return yaml_each_pair(yaml, node, what, read_key, &reader);
}

struct fy_node **yaml_items(struct yaml *yaml, struct fy_node *node, const char *what, bool alone, size_t *ret_count)
{
	int count = yaml_is_list(node) ? fy_node_sequence_item_count(node) : 1;
	struct fy_node **items;

	if (!yaml_is_list(node) && !(alone && (yaml_is_text(node) || yaml_is_map(node)))) {
		yaml_fail(yaml, node, "%s: a list is expected", what);
		return NULL;
	}
	items = yaml_alloc(yaml, ((size_t)count + 1) * sizeof(struct fy_node *));
	items[0] = node;
	for (int i = 0; yaml_is_list(node) && i < count; i++)
		items[i] = fy_node_sequence_get_by_index(node, i);
	*ret_count = (size_t)count;
	return items;
}

/* The value of "NAME", "NAME:-otherwise" or "NAME-otherwise", as in a shell. */
static const char *variable_value(char *inside)
{
	char *otherwise = strpbrk(inside, ":-");
	bool empty_too = otherwise && otherwise[0] == ':' && otherwise[1] == '-';
	const char *value;

	if (otherwise)
		*otherwise = 0;
	value = getenv(inside);
	if (otherwise && (!value || (empty_too && !*value)))
		return otherwise + 1 + empty_too;
	return value ? value : "";
}

static bool is_name_character(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* What stands at text, behind a dollar: writes its value, and returns how long it was, or 0 for no variable. */
static size_t expand_one(struct yaml *yaml, struct fy_node *node, const char *text, FILE *out)
{
	char name[256];
	size_t length;
	bool braces = *text == '{';

	if (*text == '$') {
		fputc('$', out);
		return 1;
	}
	text += braces;
	length = braces ? strcspn(text, "}") : 0;
	while (!braces && is_name_character(text[length]))
		length++;
	if (!length || length >= sizeof(name) || (braces && !text[length]) || isdigit((unsigned char)*text)) {
		yaml_fail(yaml, node, "'$%.40s': a variable is ${NAME}, and a dollar $$", text - braces);
		return 0;
	}
	memcpy(name, text, length);
	name[length] = 0;
	fputs(variable_value(name), out);
	return length + 2 * braces;
}

char *yaml_text(struct yaml *yaml, struct fy_node *node, const char *what)
{
	const char *text = yaml_is_text(node) ? fy_node_get_scalar0(node) : NULL;
	char *expanded = NULL, *copy;
	size_t size, length;
	FILE *out;

	if (!text) {
		yaml_fail(yaml, node, "%s: a text or a number is expected", what);
		return NULL;
	}
	out = open_memstream(&expanded, &size);
	for (; out && *text; text += length) {
		length = 1;
		if (*text != '$')
			fputc(*text, out);
		else if ((length = expand_one(yaml, node, text + 1, out)))
			length++;
		else
			break;
	}
	if (out)
		fclose(out);
	copy = expanded && !*yaml->error ? yaml_copy(yaml, expanded) : NULL;
	free(expanded);
	return copy;
}

bool yaml_flag(struct yaml *yaml, struct fy_node *node, const char *what, bool *ret_flag)
{
	const char *text = yaml_text(yaml, node, what);

	if (!text)
		return false;
	*ret_flag = !strcmp(text, "true");
	return *ret_flag || !strcmp(text, "false") ||
	       yaml_fail(yaml, node, "%s: '%s' is neither true nor false", what, text);
}

bool yaml_number(struct yaml *yaml, struct fy_node *node, const char *what, double least, double most,
		 double *ret_number)
{
	const char *text = yaml_text(yaml, node, what);
	char *end;

	if (!text)
		return false;
	*ret_number = strtod(text, &end);
	if (end == text || *end || !(*ret_number >= least && *ret_number <= most))
		return yaml_fail(yaml, node, "%s: '%s' is no number from %g to %g", what, text, least, most);
	return true;
}

bool duration_parse(const char *text, double *ret_seconds)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "ms", 1e-3 }, { "us", 1e-6 }, { "h", 3600 }, { "m", 60 }, { "s", 1 } };
	double sum = 0;

	if (!*text)
		return false;
	while (*text) {
		char *end;
		double value = strtod(text, &end), unit = 0;

		if (end == text || !isfinite(value) || value < 0 || !isdigit((unsigned char)*text))
			return false;
		if (!*end && sum == 0)
			unit = 1; /* a bare number */
		for (size_t i = 0; !unit && i < sizeof(units) / sizeof(*units); i++) {
			size_t length = strlen(units[i].name);

			if (!strncmp(end, units[i].name, length) && !isalpha((unsigned char)end[length])) {
				unit = units[i].seconds;
				end += length;
			}
		}
		if (!unit)
			return false;
		sum += value * unit;
		text = end;
	}
	*ret_seconds = sum;
	return sum < 1e9;
}

bool yaml_duration(struct yaml *yaml, struct fy_node *node, const char *what, double *ret_seconds)
{
	const char *text = yaml_text(yaml, node, what);

	if (!text)
		return false;
	return duration_parse(text, ret_seconds) ||
	       yaml_fail(yaml, node, "%s: '%s' is no time (as in 500ms, 2.5s, 1m30s)", what, text);
}

bool yaml_texts(struct yaml *yaml, struct fy_node *node, const char *what, bool alone, char ***ret_texts)
{
	size_t count;
	struct fy_node **items = yaml_items(yaml, node, what, alone, &count);

	if (!items)
		return false;
	*ret_texts = yaml_alloc(yaml, (count + 1) * sizeof(char *));
	for (size_t i = 0; i < count; i++) {
		(*ret_texts)[i] = yaml_text(yaml, items[i], what);
		if (!(*ret_texts)[i])
			return false;
	}
	return true;
}

/* One word from *text, which moves behind it. Returns false at the end of a quote that does not come. */
static bool take_word(const char **text, char *word)
{
	char quote = 0;

	for (; **text && (quote || !isspace((unsigned char)**text)); ++*text) {
		char c = **text;

		if (c == quote)
			quote = 0;
		else if (!quote && (c == '\'' || c == '"'))
			quote = c;
		else if (c == '\\' && quote != '\'' && (*text)[1])
			*word++ = *++*text;
		else
			*word++ = c;
	}
	*word = 0;
	return !quote;
}

bool yaml_words(struct yaml *yaml, struct fy_node *node, const char *what, const char *text, char ***ret_words)
{
	size_t count = 0, length = strlen(text);
	char **words = yaml_alloc(yaml, (length / 2 + 2) * sizeof(char *));

	for (;;) {
		while (isspace((unsigned char)*text))
			text++;
		if (!*text)
			break;
		words[count] = yaml_alloc(yaml, strlen(text) + 1);
		if (!take_word(&text, words[count++]))
			return yaml_fail(yaml, node, "%s: a quote that does not end", what);
	}
	*ret_words = words;
	return true;
}
