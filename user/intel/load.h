/* user/intel/load.h - files and directories of feeds into an index in memory that nobody can
 * change. Does I/O on descriptors it is given, no clock.
 */
#pragma once

#include "intel/build.h"

#define LOAD_FILES_MAX 100000	    /* of a directory */
#define LOAD_BYTES_MAX (4ULL << 30) /* of one feed */

struct load_feed {
	int fd;		  /* of a file or a directory; borrowed */
	const char *name; /* for findings */
	bool hunt;
};

/* Reads the feeds in their order. What is broken says what old (may be empty) knew of it. The
 * index is in *ret_fd, a sealed memfd, of *ret_size bytes; its header tells how each feed fared.
 * now_s: Unix time. 0; -ENOMEM, or -errno of making it.
 */
int load_index(const struct load_feed *feeds, size_t n, struct span old, uint64_t now_s,
	       int *ret_fd, size_t *ret_size);

/* An index in this process, for tools. */
struct load_map {
	const struct intel_header *head; /* NULL: none */
	size_t size;
};

/* The same of files and directories by their paths, each called by the last part of its name.
 * -errno with the reason in why: one that is broken is an error here. */
int load_paths(const char *const *paths, size_t n, uint64_t now_s, struct load_map *ret, char *why,
	       size_t why_size);
void load_unmap(struct load_map *m);
