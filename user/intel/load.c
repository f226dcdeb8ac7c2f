/* user/intel/load.c - reads feeds from descriptors, and seals what was made of them. */
#include "intel/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/own.h"
#include "intel/feed.h"

#define BLOCK (256 << 10)

struct loading {
	struct build *build;
	uint64_t now_s;
	uint8_t *block;
	uint64_t bytes; /* of this feed */
	char why[INTEL_REASON_MAX];
};

/* 0; -EBADMSG: broken, why in l->why; -ENOMEM. */
static int load_file(struct loading *l, int fd, const char *name)
{
	auto_free(feed) struct feed *f = NULL;
	const char *why = NULL;
	int err = feed_new(&f, l->build, l->now_s);
	ssize_t n;

	while (!err && (n = read(fd, l->block, BLOCK)) != 0) {
		if (n < 0)
			why = strerror(errno);
		else if ((l->bytes += (uint64_t)n) > LOAD_BYTES_MAX)
			why = "more than 4 GiB";
		err = why ? -EBADMSG : feed_read(f, span_of(l->block, (size_t)n));
	}
	if (!err)
		err = feed_end(f, &why);
	if (err == -EBADMSG)
		snprintf(l->why, sizeof(l->why), "%s%s%.100s", name, *name ? ": " : "", why);
	return err;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* Files of a directory in the order of their names; it holds no other directories. */
static int load_dir(struct loading *l, int fd)
{
	struct dirent **list = NULL;
	int n = scandirat(fd, ".", &list, visible, by_name), err = 0;

	if (n < 0) {
		snprintf(l->why, sizeof(l->why), "%s", strerror(errno));
		return -EBADMSG;
	}
	for (int i = 0; i < n; i++) {
		auto_close int file = err || i >= LOAD_FILES_MAX
					  ? -1
					  : openat(fd, list[i]->d_name,
						   O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		struct stat st;

		if (file >= 0 && !fstat(file, &st) && S_ISREG(st.st_mode)) {
			err = load_file(l, file, list[i]->d_name);
		} else if (!err && file < 0 && i < LOAD_FILES_MAX && errno != ELOOP) {
			snprintf(l->why, sizeof(l->why), "%.80s: %s", list[i]->d_name,
				 strerror(errno));
			err = -EBADMSG;
		}
		free(list[i]);
	}
	free(list);
	return err;
}

/* A memfd that nobody can change any more. */
static int seal(struct build *b, uint64_t id, int *ret_fd, size_t *ret_size)
{
	auto_close int fd = memfd_create("earshot-intel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t size = build_size(b);
	void *p;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return -errno;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	build_write(b, id, p);
	munmap(p, size);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	*ret_fd = steal_fd(&fd);
	*ret_size = size;
	return 0;
}

int load_index(const struct load_feed *feeds, size_t n, struct span old, uint64_t now_s,
	       int *ret_fd, size_t *ret_size)
{
	auto_free(build) struct build *b = NULL;
	auto_mem uint8_t *block = malloc(BLOCK);
	const struct intel_header *before = intel_open(old);
	struct loading l = { .now_s = now_s, .block = block };
	uint64_t chance[2];
	int err;

	if (!block)
		return -ENOMEM;
	if (getrandom(chance, sizeof(chance), 0) != sizeof(chance))
		return -EIO;
	err = build_new(&b, before ? before->seed : chance[0]);
	l.build = b;
	for (size_t i = 0; i < n && !err; i++) {
		struct stat st;

		l.bytes = 0;
		err = build_feed(b, feeds[i].name, feeds[i].hunt);
		if (err)
			break;
		if (feeds[i].fd < 0 || fstat(feeds[i].fd, &st) < 0) {
			snprintf(l.why, sizeof(l.why), "cannot be opened");
			err = -EBADMSG;
		} else if (S_ISDIR(st.st_mode)) {
			err = load_dir(&l, feeds[i].fd);
		} else {
			err = load_file(&l, feeds[i].fd, "");
		}
		if (err == -EBADMSG)
			err = build_broken(b, l.why, before);
	}
	return err ? err : seal(b, chance[1], ret_fd, ret_size);
}

int load_paths(const char *const *paths, size_t n, uint64_t now_s, struct load_map *ret, char *why,
	       size_t why_size)
{
	struct load_feed feeds[INTEL_FEEDS_MAX] = { { .fd = -1 } };
	auto_close int fd = -1;
	size_t opened = 0, size = 0;
	int err = 0;
	void *p;

	*why = 0;
	if (n > INTEL_FEEDS_MAX) {
		snprintf(why, why_size, "more feeds than %d", INTEL_FEEDS_MAX);
		return -E2BIG;
	}
	for (; opened < n && !err; opened++) {
		const char *slash = strrchr(paths[opened], '/');

		feeds[opened] = (struct load_feed){
			.fd = open(paths[opened], O_RDONLY | O_CLOEXEC),
			.name = slash && slash[1] ? slash + 1 : paths[opened],
		};
		if (feeds[opened].fd < 0) {
			err = -errno;
			snprintf(why, why_size, "%s: %s", paths[opened], strerror(errno));
		}
	}
	if (!err)
		err = load_index(feeds, n, span_of(NULL, 0), now_s, &fd, &size);
	for (size_t i = 0; i < opened; i++)
		own_close(&feeds[i].fd);
	if (err)
		return err;
	p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*ret = (struct load_map){ intel_open(span_of(p, size)), size };
	for (size_t i = 0; i < n; i++)
		if (ret->head->feed[i].broken) {
			snprintf(why, why_size, "%s: %s", paths[i], ret->head->feed[i].reason);
			load_unmap(ret);
			return -EBADMSG;
		}
	return 0;
}

void load_unmap(struct load_map *m)
{
	if (m->head)
		munmap((void *)m->head, m->size);
	m->head = NULL;
}
