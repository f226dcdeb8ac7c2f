/* user/proc/codefile.c - the files that processes map code of. Owns what is told of each. */
#include "proc/codefile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/own.h"

/* The file's place, or the empty one where it would go. */
static struct codefile *place_of(struct codefiles *fs, const struct inode_key *key)
{
	size_t mask = ARRAY_SIZE(fs->all) - 1;
	size_t i = XXH3_64bits(key, sizeof(*key)) & mask;

	while (fs->all[i].state != CODEFILE_FREE && memcmp(&fs->all[i].key, key, sizeof(*key)))
		i = (i + 1) & mask;
	return &fs->all[i];
}

/* A full table keeps what is probed or waits; the rest is surveyed again if it comes again. */
static void forget(struct codefiles *fs)
{
	auto_mem struct codefile *old = malloc(sizeof(fs->all));

	if (!old)
		return;
	memcpy(old, fs->all, sizeof(fs->all));
	memset(fs->all, 0, sizeof(fs->all));
	fs->n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(fs->all); i++) {
		if (old[i].state == CODEFILE_TLS || old[i].state == CODEFILE_WAITING) {
			*place_of(fs, &old[i].key) = old[i];
			fs->n++;
		} else {
			free(old[i].told);
		}
	}
}

struct codefile *codefile_of(struct codefiles *fs, const struct inode_key *key)
{
	struct codefile *f = place_of(fs, key);

	return f->state == CODEFILE_FREE ? NULL : f;
}

int codefile_met(struct codefiles *fs, const struct inode_key *key)
{
	struct codefile *f = place_of(fs, key);

	if (f->state == CODEFILE_FREE && fs->n == CODEFILES_MAX) {
		forget(fs);
		f = place_of(fs, key);
	}
	if (f->state == CODEFILE_FREE && fs->n == CODEFILES_MAX)
		return -ENOSPC;
	if (f->state != CODEFILE_FREE && f->state != CODEFILE_PARTIAL)
		return 0;
	if (f->state == CODEFILE_FREE) {
		f->key = *key;
		fs->n++;
	}
	f->state = CODEFILE_WAITING;
	return 1;
}

void codefile_tell(struct codefile *f, const char *path, enum explain_state state,
		   const struct survey *s, const char *why)
{
	struct explained_file *e = f->told ? f->told : calloc(1, sizeof(*e));

	if (!e)
		return;
	f->told = e;
	snprintf(e->path, sizeof(e->path), "%s", path);
	snprintf(e->why, sizeof(e->why), "%s", why);
	e->state = state;
	if (!s)
		return;
	e->hints = s->hints;
	e->n_sites = s->n_sites;
	e->build_id_len = MIN(s->build_id_len, (uint32_t)sizeof(e->build_id));
	memcpy(e->build_id, s->build_id, sizeof(e->build_id));
	memcpy(e->sites, s->sites, sizeof(e->sites));
	for (size_t i = 0; i < ARRAY_SIZE(e->sites); i++)
		e->sites[i].symbol[sizeof(e->sites[i].symbol) - 1] = '\0';
}

void codefiles_free(struct codefiles *fs)
{
	for (size_t i = 0; i < ARRAY_SIZE(fs->all); i++)
		free(fs->all[i].told);
}
