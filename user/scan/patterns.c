/* user/scan/patterns.c - an image of rules and databases, cached below $XDG_CACHE_HOME/earshot.
 * A file that the user owns and nobody else may write can hurt nobody else, so no key guards it; it
 * is not looked at by who runs with rights of somebody else.
 */
#include "scan/patterns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/own.h"
#include "config/rules_dir.h"
#include "detect/detect.h"
#include "detect/rule_pack.h"

#define CACHE_NAMES 4 /* sets of rules that are kept: a file each */

struct patterns {
	uint8_t *made; /* NULL: what is mapped is it */
	void *map;     /* of the cache; NULL: nothing was there */
	size_t len, map_len;
};

/* The folder, made when missing; -1: there is none to be used. */
static int cache_dir(void)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	auto_close int fd = -1;
	char path[4096];
	struct stat st;
	int n;

	if (getauxval(AT_SECURE))
		return -1;
	if (xdg && *xdg == '/')
		n = snprintf(path, sizeof(path), "%s", xdg);
	else if (home && *home == '/')
		n = snprintf(path, sizeof(path), "%s/.cache", home);
	else
		return -1;
	if (n < 0 || (size_t)n + sizeof("/earshot") > sizeof(path))
		return -1;
	mkdir(path, 0700);
	strcat(path, "/earshot");
	mkdir(path, 0700);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() ||
	    st.st_mode & (S_IWGRP | S_IWOTH))
		return -1;
	return steal_fd(&fd);
}

/* One file for each of some sets of rules; which set it is, the image itself says. */
static void name_of(const char *rules, char ret[32])
{
	unsigned h = 0;

	for (const char *s = rules; s && *s; s++)
		h = h * 31 + (uint8_t)*s;
	snprintf(ret, 32, "patterns-%u", rules ? 1 + h % (CACHE_NAMES - 1) : 0);
}

static void map_cached(struct patterns *p, int dir, const char *name)
{
	auto_close int fd =
	    dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_mode & (S_IWGRP | S_IWOTH) || st.st_size <= 0)
		return;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return;
	p->map = map;
	p->map_len = (size_t)st.st_size;
}

/* Whole or not at all; a cache that cannot be written costs time only. */
static void keep(const struct patterns *p, int dir, const char *name)
{
	char fresh[64];
	auto_close int fd = -1;
	size_t at = 0;

	if (dir < 0)
		return;
	snprintf(fresh, sizeof(fresh), "%s.%d", name, (int)getpid());
	fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	while (at < p->len) {
		ssize_t n = write(fd, p->made + at, p->len - at);

		if (n <= 0)
			break;
		at += (size_t)n;
	}
	if (at < p->len || renameat(dir, fresh, dir, name) < 0)
		unlinkat(dir, fresh, 0);
}

int patterns_rules(const char *rules, uint8_t **ret, size_t *len, char *why, size_t why_size)
{
	auto_free(rule_packs) struct rule_packs *packs = NULL;
	struct buf bundle = BUF(0);
	int err = rules ? rules_dir_read(rules, false, true, &bundle, why, why_size) : 0;

	if (!err)
		err = rule_packs_new(&packs);
	if (!err)
		err = rule_packs_add_built_in(packs, why, why_size);
	if (!err)
		err = rule_packs_add_bundle(packs, buf_span(&bundle), why, why_size);
	buf_free(&bundle);
	return err ? err : rule_packs_image(packs, ret, len);
}

static int open_or_make(struct patterns *p, const char *rules, char *why, size_t why_size)
{
	auto_mem uint8_t *image = NULL;
	auto_close int dir = -1;
	struct compile_opts o = { 0 };
	char name[32];
	int err = patterns_rules(rules, &image, &o.rules.len, why, why_size);

	if (err)
		return err;
	dir = cache_dir();
	name_of(rules, name);
	map_cached(p, dir, name);
	o.rules.p = image;
	o.cached = span_of(p->map, p->map_len);
	err = detect_compile_rules(&o, &p->made, &p->len, why, why_size);
	if (!err)
		keep(p, dir, name);
	return MIN(err, 0);
}

int patterns_open(struct patterns **ret, const char *rules, char *why, size_t why_size)
{
	auto_free(patterns) struct patterns *p = calloc(1, sizeof(*p));
	int err;

	*why = 0;
	if (!p)
		return -ENOMEM;
	err = open_or_make(p, rules, why, why_size);
	if (err)
		return err;
	*ret = steal(p);
	return 0;
}

void patterns_free(struct patterns **p)
{
	if (!*p)
		return;
	if ((*p)->map)
		munmap((*p)->map, (*p)->map_len);
	free((*p)->made);
	free(*p);
	*p = NULL;
}

struct span patterns_image(const struct patterns *p)
{
	return p->made ? span_of(p->made, p->len) : span_of(p->map, p->map_len);
}
