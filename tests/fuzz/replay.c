/* tests/fuzz/replay.c - a fuzz target without a fuzzer: runs it on every file of its corpus and
 * prints TAP. The corpus of fuzz_NAME is tests/data/fuzz/NAME/, from the top of the source tree.
 */
#include <errno.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "guard.h"

#define INPUT_MAX (16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* At a guard page, like a fuzzer's input under ASan. 0, or -errno when the file cannot be read
 * whole. */
static int run(const char *path)
{
	auto_file FILE *f = fopen(path, "re");
	auto_mem uint8_t *data = malloc(INPUT_MAX);
	struct guard g;
	struct span in;

	if (!f || !data)
		return -errno;
	in = span_of(data, fread(data, 1, INPUT_MAX, f));
	if (ferror(f) || !feof(f))
		return -EFBIG;
	g = guard_new(in.len);
	in = guard_put(&g, in);
	LLVMFuzzerTestOneInput(in.p, in.len);
	guard_free(&g);
	return 0;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
	char pattern[512];
	glob_t files;
	int failed = 0;

	(void)argc;
	if (strncmp(name, "fuzz_", 5)) {
		fprintf(stderr, "%s: the program's name must be fuzz_NAME\n", name);
		return 2;
	}
	snprintf(pattern, sizeof(pattern), "tests/data/fuzz/%s/*", name + 5);
	if (glob(pattern, 0, NULL, &files)) {
		printf("1..1\nnot ok 1 - no corpus: %s\n", pattern);
		return 1;
	}
	printf("1..%zu\n", files.gl_pathc);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		int err;

		/* Before the run: a crash then shows which file it was. */
		printf("# %s\n", files.gl_pathv[i]);
		fflush(stdout);
		err = run(files.gl_pathv[i]);
		printf("%sok %zu - %s%s%s\n", err ? "not " : "", i + 1,
		       strrchr(files.gl_pathv[i], '/') + 1, err ? ": " : "",
		       err ? strerror(-err) : "");
		failed |= err;
	}
	globfree(&files);
	return failed ? 1 : 0;
}
