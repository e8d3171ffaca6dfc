/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a fuzz target without a fuzzer: each file of the folder given, once, in
 * memory of its very size. What made a target fail before is in its corpus
 * and so stays tested. Prints TAP, one line; a target that fails ends the
 * program, and the last file named on stderr is why.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat stat = { 0 }; /* MSan of clang 14 does not know fstat() */
	uint8_t *bytes;
	size_t size;

	if (!file || fstat(fileno(file), &stat) < 0)
		return -1;
	bytes = malloc((size_t)stat.st_size + !stat.st_size);
	size = fread(bytes, 1, (size_t)stat.st_size, file);
	fclose(file);
	LLVMFuzzerTestOneInput(bytes, size);
	free(bytes);
	return size == (size_t)stat.st_size ? 0 : -1;
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	struct dirent **entries;
	const char *name;
	int count = argc == 2 ? scandir(argv[1], &entries, is_input, alphasort) : -1, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (count <= 0) {
		printf("not ok 1 - a folder with inputs is given and can be read\n1..1\n");
		return EXIT_FAILURE;
	}
	for (int i = 0; i < count; i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", argv[1], entries[i]->d_name);
		fprintf(stderr, "%s\n", path); /* the one that ends us is the last one named */
		failed += run_file(path) < 0;
		free(entries[i]);
	}
	free(entries);
	name = strrchr(argv[1], '/');
	printf("%sok 1 - fuzz: %d inputs of %s\n1..1\n", failed ? "not " : "", count, name ? name + 1 : argv[1]);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
