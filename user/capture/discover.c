/* user/capture/discover.c - which files hold executable code that processes map, and who runs it.
 * Owns the perf rings, the BPF object, the table of files and, per process, the set of files it was
 * reported with.
 */
#include "capture/discover.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/own.h"
#include "bpf/vma.h"
#include "discover.skel.h"

#define RING_BYTES (256 << 10) /* of each CPU; the kernel allows 516 KiB without CAP_IPC_LOCK */
#define RECORD_MAX (PATH_MAX + 256) /* bytes of an event with a path */
#define DIRTY_MAX  256		    /* processes to look at in one go; beyond it, all */
#define PROC_FILES_MAX                                                                             \
	1024	  /* files remembered of one process; beyond it, users may be reported again */
#define BATCH 512 /* mappings read at once */
#define REFUSED_PER_SCAN                                                                           \
	1024 /* files refused by a full table before it is worth to look who is still there */
#define PID_LIMIT	 (1 << 22) /* the kernel's PID_MAX_LIMIT */
#define PIDS_PER_PAGE	 1024
#define FUSE_SUPER_MAGIC 0x65735546

/* Device numbers as the kernel keeps them (MKDEV). */
#define KERNEL_DEV(major, minor) ((uint64_t)(major) << 20 | (minor))

enum file_state {
	FILE_UNKNOWN,
	FILE_WANTED, /* to be reported in this scan */
	FILE_REPORTED,
	FILE_REFUSED,
	FILE_MISSED, /* was gone before it could be opened, or is to be reported once more: when it
		      * shows up again */
};

struct file {
	struct inode_key key;
	enum file_state state;
	uint32_t scan; /* the last one that saw it */
};

struct proc {
	uint32_t scan;
	unsigned n, room;
	uint64_t files[]; /* hashes of their keys */
};

struct ring { /* perf events of one CPU */
	int fd;
	struct perf_event_mmap_page *page; /* NULL: it is offline */
	uint64_t head, tail;		   /* of what is being read */
	uint64_t time;			   /* of the record at tail */
};

struct wanted { /* a mapping of a file that is not known yet */
	struct inode_key key;
	struct code_range code;
	uint64_t start, end;
	pid_t pid;
};

struct discover {
	struct discover_ops ops;
	void *ctx;
	struct discover_bpf *bpf;
	struct ring_buffer *events;
	int epoll;
	struct ring *rings; /* by CPU */
	struct ring **live; /* those with records to be read now */
	int n_rings;	    /* 0: mappings are told by BPF */
	bool by_pid;	    /* the kernel can iterate over one process */
	bool rescan;
	uint32_t scan;
	uint64_t lost, lost_events, refused;
	pid_t dirty[DIRTY_MAX];
	unsigned n_dirty;
	struct wanted *wanted;
	unsigned n_wanted, wanted_room;
	struct file files[DISCOVER_FILES_MAX * 2]; /* open addressing, at most half full */
	unsigned n_files;
	struct proc **procs[PID_LIMIT / PIDS_PER_PAGE];
};

/* --- files and processes */

static uint64_t hash_of(const struct inode_key *key)
{
	return XXH3_64bits(key, sizeof(*key));
}

/* The file's place, or the empty place where it would go. */
static struct file *file_of(struct discover *d, const struct inode_key *key)
{
	size_t mask = ARRAY_SIZE(d->files) - 1, i = hash_of(key) & mask;

	while (d->files[i].state != FILE_UNKNOWN && memcmp(&d->files[i].key, key, sizeof(*key)))
		i = (i + 1) & mask;
	return &d->files[i];
}

/* Keeps what the last scan has seen. */
static int forget_files(struct discover *d)
{
	auto_mem struct file *old = malloc(sizeof(d->files));

	if (!old)
		return -ENOMEM;
	memcpy(old, d->files, sizeof(d->files));
	memset(d->files, 0, sizeof(d->files));
	d->n_files = 0;
	for (size_t i = 0; i < ARRAY_SIZE(d->files); i++)
		if (old[i].state != FILE_UNKNOWN && old[i].scan == d->scan) {
			*file_of(d, &old[i].key) = old[i];
			d->n_files++;
		}
	return 0;
}

static struct proc **proc_of(struct discover *d, pid_t pid, bool add)
{
	struct proc ***page;

	if (pid <= 0 || pid >= PID_LIMIT)
		return NULL;
	page = &d->procs[pid / PIDS_PER_PAGE];
	if (!*page && add)
		*page = calloc(PIDS_PER_PAGE, sizeof(**page));
	return *page ? *page + pid % PIDS_PER_PAGE : NULL;
}

/* Remembers that the process was reported with the file. False: it was already. */
static bool proc_add(struct discover *d, pid_t pid, const struct inode_key *key)
{
	struct proc **at = proc_of(d, pid, true), *p = at ? *at : NULL;
	uint64_t h = hash_of(key);

	if (p)
		p->scan = d->scan;
	for (unsigned i = 0; p && i < p->n; i++)
		if (p->files[i] == h)
			return false;
	if (at && (!p || p->n == p->room)) {
		unsigned room = p && p->room ? MIN(p->room * 2, PROC_FILES_MAX) : 8;

		p = p && p->n == room ? NULL : realloc(p, sizeof(*p) + room * sizeof(*p->files));
		if (p) {
			if (!*at)
				*p = (struct proc){ .scan = d->scan };
			p->room = room;
			*at = p;
		}
	}
	if (p)
		p->files[p->n++] = h;
	if (p && p->n == 1 && d->ops.program)
		d->ops.program(d->ctx, pid);
	return true;
}

/* A forked child maps what its parent did. */
static void proc_fork(struct discover *d, pid_t parent, pid_t child, uint64_t start_ns)
{
	struct proc **from = proc_of(d, parent, false), **to = proc_of(d, child, true);
	size_t size = from && *from ? sizeof(**from) + (*from)->room * sizeof(*(*from)->files) : 0;

	if (!size || !to || *to)
		return;
	*to = malloc(size);
	if (*to)
		memcpy(*to, *from, size);
	d->ops.fork(d->ctx, parent, child, start_ns);
}

static void proc_exit(struct discover *d, pid_t pid)
{
	struct proc **at = proc_of(d, pid, false);

	if (!at || !*at)
		return;
	free(*at);
	*at = NULL;
	d->ops.exit(d->ctx, pid);
}

/* --- the iterator */

typedef void map_fn(struct discover *d, const struct vma_file *f, void *arg);

static int open_iter(struct discover *d, pid_t pid)
{
	union bpf_iter_link_info info = { .task.pid = (uint32_t)pid };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link =
	    bpf_program__attach_iter(d->bpf->progs.vma_files, pid && d->by_pid ? &opts : NULL);
	int fd;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	bpf_link__destroy(link);
	return fd;
}

/* Calls fn for each executable mapping of a process, or of all (pid 0). */
static int walk(struct discover *d, pid_t pid, map_fn *fn, void *arg)
{
	struct vma_file batch[BATCH];
	uint32_t outer = d->bpf->bss->only_tgid; /* fn may walk, too */
	auto_close int fd = -1;
	ssize_t n;

	d->bpf->bss->only_tgid = (uint32_t)pid;
	fd = open_iter(d, pid);
	if (fd < 0) {
		d->bpf->bss->only_tgid = outer;
		return fd;
	}
	/* EAGAIN: it passed very many mappings that were of no interest, and wants to go on. */
	while ((n = read(fd, batch, sizeof(batch))) > 0 ||
	       (n < 0 && (errno == EAGAIN || errno == EINTR))) {
		if (n > 0 && n % (ssize_t)sizeof(*batch)) {
			errno = EIO;
			n = -1;
			break;
		}
		for (ssize_t i = 0; i < n / (ssize_t)sizeof(*batch); i++)
			fn(d, &batch[i], arg);
	}
	d->bpf->bss->only_tgid = outer;
	return n < 0 ? -errno : 0;
}

static struct inode_key key_of(const struct vma_file *f)
{
	return (struct inode_key){ .dev = f->dev, .ino = f->ino, .generation = f->generation };
}

/* --- opening what is mapped */

struct own_map {
	uint64_t start;
	struct inode_key key;
};

static void find_own(struct discover *d, const struct vma_file *f, void *arg)
{
	struct own_map *m = arg;

	(void)d;
	if (f->start == m->start)
		m->key = key_of(f);
}

/* Is the open file the one with this real inode? Where the file system shows other numbers
 * (overlayfs, btrfs), we map it ourselves and ask the iterator. */
static bool verify(struct discover *d, int fd, const struct inode_key *key)
{
	struct own_map own = {};
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (KERNEL_DEV(major(st.st_dev), minor(st.st_dev)) == key->dev && st.st_ino == key->ino)
		return true; /* a mapped file's number is not used again */
	p = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return false;
	own.start = (uint64_t)(uintptr_t)p;
	d->bpf->bss->also_start = own.start;
	if (walk(d, getpid(), find_own, &own))
		own.key = (struct inode_key){};
	d->bpf->bss->also_start = 0;
	munmap(p, 1);
	return !memcmp(&own.key, key, sizeof(*key));
}

static int open_file(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* The name in /proc/PID/maps, for a monitor that may not follow map_files. */
static bool path_from_maps(const struct wanted *w, char *path, size_t size)
{
	char name[64], line[PATH_MAX + 128], at[64];
	auto_file FILE *f = NULL;

	snprintf(name, sizeof(name), "/proc/%d/maps", w->pid);
	snprintf(at, sizeof(at), "%08jx-%08jx ", (uintmax_t)w->start, (uintmax_t)w->end);
	f = fopen(name, "re");
	while (f && fgets(line, sizeof(line), f)) {
		char *slash = strchr(line, '/');

		if (strncmp(line, at, strlen(at)) || !slash)
			continue;
		slash[strcspn(slash, "\n")] = '\0';
		return (size_t)snprintf(path, size, "%s", slash) < size;
	}
	return false;
}

/* An open descriptor of the file, and its path. By the mapping itself, which works for deleted
 * files and in other mount namespaces; else by name in the process's root; else by its executable.
 * Checked against the inode each time. */
static int open_mapped(struct discover *d, const struct wanted *w, char *path, size_t size)
{
	char at[PATH_MAX + 64];
	ssize_t n;
	int fd;

	snprintf(at, sizeof(at), "/proc/%d/map_files/%jx-%jx", w->pid, (uintmax_t)w->start,
		 (uintmax_t)w->end);
	n = readlink(at, path, size - 1);
	if (n > 0) {
		path[n] = '\0';
		fd = open_file(at);
		if (verify(d, fd, &w->key))
			return fd;
		own_close(&fd);
	} else if (!path_from_maps(w, path, size)) {
		return -ESRCH; /* gone, as short-lived processes are */
	}
	snprintf(at, sizeof(at), "/proc/%d/root%s", w->pid, path);
	fd = open_file(at);
	if (verify(d, fd, &w->key))
		return fd;
	own_close(&fd);
	snprintf(at, sizeof(at), "/proc/%d/exe", w->pid);
	fd = open_file(at);
	if (verify(d, fd, &w->key))
		return fd;
	own_close(&fd);
	return -ENOENT;
}

/* --- reporting */

/* A file may have several executable mappings: the range from the first to the last. */
static void widen(struct discover *d, const struct inode_key *key, const struct code_range *by)
{
	for (unsigned i = 0; i < d->n_wanted; i++) {
		struct code_range *code = &d->wanted[i].code;

		if (memcmp(&d->wanted[i].key, key, sizeof(*key)))
			continue;
		code->from = MIN(code->from, by->from);
		code->to = MAX(code->to, by->to);
	}
}

static struct code_range range_of(const struct vma_file *f)
{
	uint64_t from = f->page * (uint64_t)sysconf(_SC_PAGESIZE);

	return (struct code_range){ from, from + (f->end - f->start) };
}

static void on_map(struct discover *d, const struct vma_file *f, void *arg)
{
	const struct code_range code = range_of(f);
	struct inode_key key = key_of(f);
	struct file *file = file_of(d, &key);
	struct wanted *w;

	(void)arg;
	file->scan = d->scan;
	if (file->state == FILE_REPORTED) {
		if (proc_add(d, (pid_t)f->tgid, &key))
			d->ops.user(d->ctx, &key, (pid_t)f->tgid);
		return;
	}
	if (file->state == FILE_WANTED)
		widen(d, &key, &code);
	if (file->state == FILE_WANTED || file->state == FILE_REFUSED)
		return;
	if (file->state == FILE_UNKNOWN && d->n_files == DISCOVER_FILES_MAX) {
		d->rescan |=
		    d->refused++ % REFUSED_PER_SCAN == 0; /* makes room, if there is any to make */
		return;
	}
	if (d->n_wanted == d->wanted_room) {
		unsigned room = d->wanted_room ? d->wanted_room * 2 : 64;

		w = realloc(d->wanted, room * sizeof(*w));
		if (!w)
			return; /* the next mapping of it comes again */
		d->wanted = w;
		d->wanted_room = room;
	}
	d->n_files += file->state == FILE_UNKNOWN;
	file->key = key;
	file->state = FILE_WANTED;
	/* Its server, an unprivileged process, could let our open() wait for ever. */
	if (f->magic == FUSE_SUPER_MAGIC) {
		file->state = FILE_REFUSED;
		d->refused++;
		return;
	}
	d->wanted[d->n_wanted++] = (struct wanted){ key, code, f->start, f->end, (pid_t)f->tgid };
}

static bool named_ssl(const struct wanted *w)
{
	char at[96], path[PATH_MAX];
	ssize_t n;

	snprintf(at, sizeof(at), "/proc/%d/map_files/%jx-%jx", w->pid, (uintmax_t)w->start,
		 (uintmax_t)w->end);
	n = readlink(at, path, sizeof(path));
	return n > 0 && memmem(path, (size_t)n, "ssl", 3);
}

static void report_file(struct discover *d, const struct wanted *w)
{
	struct file *file = file_of(d, &w->key);
	char path[PATH_MAX];
	int fd;

	if (file->state != FILE_WANTED)
		return;
	fd = open_mapped(d, w, path, sizeof(path));
	if (fd < 0) {
		file->state = FILE_MISSED;
		d->refused += fd != -ESRCH;
		return;
	}
	file->state = FILE_REPORTED;
	proc_add(d, w->pid, &w->key);
	d->ops.file(d->ctx, &w->key, &w->code, fd, w->pid, path);
}

/* Reports the files that the walk found, the likely ones first. Returns how many there were. */
static unsigned report_wanted(struct discover *d)
{
	unsigned n = d->n_wanted;

	for (unsigned i = 0; n > 1 && i < n; i++)
		if (named_ssl(&d->wanted[i]))
			report_file(d, &d->wanted[i]);
	for (unsigned i = 0; i < n; i++)
		report_file(d, &d->wanted[i]);
	d->n_wanted = 0;
	return n;
}

int discover_scan(struct discover *d)
{
	int r;

	d->rescan = false;
	d->scan++;
	r = walk(d, 0, on_map, NULL);
	if (!r && report_wanted(d)) {
		/* Others may map the new files, too; and a process whose file was missed may be
		 * gone, but not all of them. */
		r = walk(d, 0, on_map, NULL);
		report_wanted(d);
	}
	if (r)
		return r;
	for (pid_t pid = 1; pid < PID_LIMIT; pid++) {
		struct proc **at = proc_of(d, pid, false);

		if (!at)
			pid |= PIDS_PER_PAGE - 1; /* an empty page */
		else if (*at && (*at)->scan != d->scan && kill(pid, 0) < 0 && errno == ESRCH)
			proc_exit(d, pid);
	}
	return d->n_files > DISCOVER_FILES_MAX / 2 ? forget_files(d) : 0;
}

struct maps {
	discover_map_fn *fn;
	void *ctx;
};

static void on_mapping(struct discover *d, const struct vma_file *f, void *arg)
{
	const struct maps *m = arg;
	struct inode_key key = key_of(f);

	(void)d;
	m->fn(m->ctx, &key, f->exe);
}

int discover_maps(struct discover *d, pid_t pid, discover_map_fn *fn, void *ctx)
{
	struct maps m = { fn, ctx };

	return walk(d, pid, on_mapping, &m);
}

struct code {
	struct inode_key key;
	struct code_range range;
};

static void on_code(struct discover *d, const struct vma_file *f, void *arg)
{
	struct code_range *range = &((struct code *)arg)->range, by = range_of(f);
	struct inode_key key = key_of(f);

	(void)d;
	if (memcmp(&key, &((struct code *)arg)->key, sizeof(key)))
		return;
	*range = range->to ? (struct code_range){ MIN(range->from, by.from), MAX(range->to, by.to) }
			   : by;
}

int discover_code(struct discover *d, const struct inode_key *key, struct code_range *ret)
{
	struct code code = { .key = *key };
	int r = walk(d, 0, on_code, &code);

	*ret = code.range;
	return r;
}

void discover_again(struct discover *d, const struct inode_key *key)
{
	struct file *file = file_of(d, key);

	if (file->state == FILE_REPORTED)
		file->state = FILE_MISSED;
}

pid_t discover_next(const struct discover *d, pid_t after)
{
	for (pid_t pid = MAX(after, 0) + 1; pid < PID_LIMIT; pid++) {
		struct proc *const *page = d->procs[pid / PIDS_PER_PAGE];

		if (!page)
			pid |= PIDS_PER_PAGE - 1;
		else if (page[pid % PIDS_PER_PAGE])
			return pid;
	}
	return 0;
}

/* --- perf events */

struct mmap2 { /* PERF_RECORD_MMAP2 up to the name (linux/perf_event.h) */
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t addr, len, pgoff;
	uint32_t maj, min;
	uint64_t ino, ino_generation;
	uint32_t prot, flags;
};

struct comm {
	struct perf_event_header header;
	uint32_t pid, tid;
};

struct lost {
	struct perf_event_header header;
	uint64_t id, lost;
};

static void mark_dirty(struct discover *d, pid_t pid)
{
	for (unsigned i = 0; i < d->n_dirty; i++)
		if (d->dirty[i] == pid)
			return;
	if (d->n_dirty == DIRTY_MAX)
		d->rescan = true;
	else
		d->dirty[d->n_dirty++] = pid;
}

/* real: the key is the real inode's. */
static void on_mapped(struct discover *d, pid_t pid, const struct inode_key *key, bool real)
{
	const struct file *file = real ? file_of(d, key) : NULL;

	if (file && file->state == FILE_REFUSED)
		return;
	if (file && file->state == FILE_REPORTED) {
		if (proc_add(d, pid, key))
			d->ops.user(d->ctx, key, pid);
		return;
	}
	mark_dirty(d, pid);
}

static void on_mmap(struct discover *d, const struct mmap2 *m)
{
	const struct inode_key key = {
		.dev = KERNEL_DEV(m->maj, m->min),
		.ino = m->ino,
		.generation = (uint32_t)m->ino_generation,
	};

	/* On a block device the numbers shown are the real ones. Without (overlayfs, btrfs) they
	 * may be used again for another file after a mount is gone. */
	if (m->prot & PROT_EXEC && m->ino && (pid_t)m->pid > 0)
		on_mapped(d, (pid_t)m->pid, &key, m->maj != 0);
}

static void on_exec(struct discover *d, pid_t pid)
{
	struct proc **at = proc_of(d, pid, true);

	/* Its fork may be told of later, by another ring: what its parent maps is nothing to it by
	 * now. */
	if (at && !*at)
		*at = calloc(1, sizeof(**at));
	if (!at || !*at)
		return;
	/* Another program now: its files are reported again. */
	(*at)->n = 0;
	(*at)->scan = d->scan;
}

static void on_record(struct discover *d, const struct perf_event_header *h)
{
	if (h->type == PERF_RECORD_MMAP2 && h->size >= sizeof(struct mmap2))
		on_mmap(d, (const struct mmap2 *)h);
	else if (h->type == PERF_RECORD_COMM && h->misc & PERF_RECORD_MISC_COMM_EXEC &&
		 h->size >= sizeof(struct comm))
		on_exec(d, (pid_t)((const struct comm *)h)->pid);
	else if (h->type == PERF_RECORD_LOST && h->size >= sizeof(struct lost)) {
		d->lost += ((const struct lost *)h)->lost;
		d->rescan = true;
	}
}

/* Copies what the ring holds from at on, which may wrap. */
static void copy_out(const struct ring *r, uint64_t at, void *to, size_t n)
{
	const uint8_t *data = (const uint8_t *)r->page + sysconf(_SC_PAGESIZE);
	size_t first = MIN(n, RING_BYTES - at % RING_BYTES);

	memcpy(to, data + at % RING_BYTES, first);
	memcpy((uint8_t *)to + first, data, n - first);
}

/* The size of the record at the ring's tail; 0: none, or none that makes sense. */
static size_t peek(struct discover *d, struct ring *r)
{
	struct perf_event_header h;

	if (r->tail == r->head)
		return 0;
	copy_out(r, r->tail, &h, sizeof(h));
	if (h.size >= sizeof(h) + sizeof(r->time) && h.size <= r->head - r->tail) {
		copy_out(r, r->tail + h.size - sizeof(r->time), &r->time, sizeof(r->time));
		return h.size;
	}
	d->rescan = true;
	r->tail = r->head;
	return 0;
}

/* Reads what the rings hold, oldest first: a process that executes a program on one CPU and maps a
 * library on another did it in that order. For that, what is younger than the look at the rings is
 * left, since what came before it may be in a ring that was looked at earlier; the kernel tells of
 * it once more.
 */
static void drain(struct discover *d)
{
	uint64_t buf[UINT16_MAX / 8 + 1]; /* a record, aligned and in one piece */
	uint64_t until = mono_ns();
	int n = 0;

	for (struct ring *r = d->rings; r < d->rings + d->n_rings; r++) {
		if (!r->page)
			continue;
		r->head = __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE);
		r->tail = r->page->data_tail;
		/* The kernel reports a loss with the next event that fits, which may never come: a
		 * full ring is enough to look again. */
		if (r->head - r->tail > RING_BYTES - RECORD_MAX)
			d->rescan = true;
		if (peek(d, r))
			d->live[n++] = r;
	}
	while (n) {
		struct ring **oldest = d->live, *r;
		size_t size;

		for (int i = 1; i < n; i++)
			if (d->live[i]->time < (*oldest)->time)
				oldest = &d->live[i];
		r = *oldest;
		if (r->time > until)
			break;
		size = peek(d, r);
		copy_out(r, r->tail, buf, size);
		r->tail += size;
		if (!peek(d, r))
			*oldest = d->live[--n];
		on_record(d, (const struct perf_event_header *)buf);
	}
	for (struct ring *r = d->rings; r < d->rings + d->n_rings; r++)
		if (r->page)
			__atomic_store_n(&r->page->data_tail, r->tail, __ATOMIC_RELEASE);
}

static int watch(struct discover *d, int fd)
{
	struct epoll_event e = { .events = EPOLLIN };

	return epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static void close_ring(struct ring *r)
{
	if (r->page)
		munmap(r->page, (size_t)sysconf(_SC_PAGESIZE) + RING_BYTES);
	r->page = NULL;
	own_close(&r->fd);
}

/* 0 also for a CPU that is offline. */
static int open_ring(struct discover *d, int cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.sample_id_all = 1,
		.sample_type = PERF_SAMPLE_TIME, /* at each record's end */
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.watermark = 1,
		.wakeup_watermark = 1,
	};
	struct ring *r = &d->rings[cpu];
	int err;

	r->fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (r->fd < 0)
		return errno == ENODEV ? 0 : -errno;
	r->page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE) + RING_BYTES, PROT_READ | PROT_WRITE,
		       MAP_SHARED, r->fd, 0);
	err = r->page == MAP_FAILED ? -errno : watch(d, r->fd);
	if (r->page == MAP_FAILED)
		r->page = NULL;
	if (err)
		close_ring(r);
	return err;
}

/* What was mapped there until now, nobody has heard of. */
static void on_cpu(struct discover *d, uint32_t cpu)
{
	if (cpu >= (uint32_t)d->n_rings)
		return;
	drain(d);
	close_ring(&d->rings[cpu]);
	/* Without a ring it is as before: the next scan finds what it maps. */
	open_ring(d, (int)cpu);
	d->rescan = true;
}

static int on_event(void *ctx, void *data, size_t size)
{
	const struct vma_event *e = data;
	struct discover *d = ctx;

	if (size < sizeof(*e))
		return 0;
	if (e->kind == VMA_EXIT)
		proc_exit(d, (pid_t)e->tgid);
	else if (e->kind == VMA_EXEC)
		on_exec(d, (pid_t)e->tgid);
	else if (e->kind == VMA_FORK)
		proc_fork(d, (pid_t)e->parent, (pid_t)e->tgid, e->start_ns);
	else if (e->kind == VMA_CPU)
		on_cpu(d, e->tgid);
	else
		on_mapped(d, (pid_t)e->tgid,
			  &(struct inode_key){ e->dev, e->ino, e->generation, 0 }, true);
	return 0;
}

int discover_poll(struct discover *d)
{
	uint64_t lost_events;
	int r = 0;

	drain(d);
	/* Exits wait until what was mapped before them is looked at, unless mappings come the same
	 * way. */
	if (!d->n_rings)
		ring_buffer__consume(d->events);
	/* Without a kernel that can look at one process, one look at all is cheaper than several.
	 */
	if (!d->by_pid && d->n_dirty > 1)
		d->rescan = true;
	for (unsigned i = 0; i < d->n_dirty && !r && !d->rescan; i++) {
		r = walk(d, d->dirty[i], on_map, NULL);
		if (r == -ESRCH || r == -ENOENT || r == -EINVAL)
			r = 0; /* gone */
		report_wanted(d);
	}
	d->n_dirty = 0;
	if (d->n_rings)
		ring_buffer__consume(d->events);
	lost_events = __atomic_load_n(&d->bpf->bss->lost_events, __ATOMIC_RELAXED);
	if (lost_events != d->lost_events) {
		d->lost += lost_events - d->lost_events;
		d->lost_events = lost_events;
		d->rescan = true;
	}
	if (!r && d->rescan)
		r = discover_scan(d);
	return r;
}

int discover_follow(struct discover *d, pid_t pid)
{
	uint32_t key = (uint32_t)pid, yes = 1;

	return bpf_map_update_elem(bpf_map__fd(d->bpf->maps.followed), &key, &yes, BPF_ANY);
}

void discover_unfollow(struct discover *d, pid_t pid)
{
	uint32_t key = (uint32_t)pid;

	bpf_map_delete_elem(bpf_map__fd(d->bpf->maps.followed), &key);
}

int discover_fd(const struct discover *d)
{
	return d->epoll;
}

uint64_t discover_lost(const struct discover *d)
{
	return d->lost;
}

uint64_t discover_refused(const struct discover *d)
{
	return d->refused;
}

/* --- birth and death */

static int open_rings(struct discover *d)
{
	int n = libbpf_num_possible_cpus(), r = 0;

	if (n < 0)
		return n;
	d->rings = calloc((size_t)n, sizeof(*d->rings));
	d->live = calloc((size_t)n, sizeof(*d->live));
	if (!d->rings || !d->live)
		return -ENOMEM;
	for (int cpu = 0; cpu < n; cpu++)
		d->rings[cpu].fd = -1;
	d->n_rings = n;
	for (int cpu = 0; cpu < n && !r; cpu++)
		r = open_ring(d, cpu);
	return r;
}

static void nothing(struct discover *d, const struct vma_file *f, void *arg)
{
	(void)d;
	(void)f;
	(void)arg;
}

static int attach(struct bpf_link **ret, const struct bpf_program *p)
{
	*ret = bpf_program__attach(p);
	return *ret ? 0 : -errno;
}

static int start(struct discover *d, const char **ret_what)
{
	bool by_perf, by_cpu;
	int r;

	*ret_what = "perf events of all processes cannot be opened (CAP_PERFMON)";
	r = open_rings(d);
	/* Debian and others close them to all but CAP_SYS_ADMIN (kernel.perf_event_paranoid 3). */
	by_perf = r != -EACCES && r != -EPERM;
	if (!by_perf)
		d->n_rings = 0;
	if (by_perf && r)
		return r;
	*ret_what = by_perf ? "BPF programs for discovery cannot be loaded"
			    : "new mappings cannot be seen: neither by perf events "
			      "(kernel.perf_event_paranoid above 2?) nor by BPF (fentry)";
	d->bpf = discover_bpf__open();
	if (!d->bpf)
		return -errno;
	bpf_program__set_autoload(d->bpf->progs.vma_mapped, !by_perf);
	bpf_program__set_autoload(d->bpf->progs.vma_exec, !by_perf);
	/* A kernel without hotplug has no such tracepoint. */
	by_cpu = by_perf && libbpf_find_vmlinux_btf_id("cpuhp_exit", BPF_TRACE_RAW_TP) > 0;
	bpf_program__set_autoload(d->bpf->progs.vma_cpu, by_cpu);
	r = discover_bpf__load(d->bpf);
	if (r)
		return r;
	r = attach(&d->bpf->links.vma_fork, d->bpf->progs.vma_fork);
	if (!r)
		r = attach(&d->bpf->links.vma_exit, d->bpf->progs.vma_exit);
	if (!r && !by_perf)
		r = attach(&d->bpf->links.vma_mapped, d->bpf->progs.vma_mapped);
	if (!r && !by_perf)
		r = attach(&d->bpf->links.vma_exec, d->bpf->progs.vma_exec);
	if (!r && by_cpu)
		r = attach(&d->bpf->links.vma_cpu, d->bpf->progs.vma_cpu);
	if (r)
		return r;
	d->events = ring_buffer__new(bpf_map__fd(d->bpf->maps.events), on_event, d, NULL);
	if (!d->events)
		return -errno;
	r = watch(d, ring_buffer__epoll_fd(d->events));
	if (r)
		return r;
	/* Older kernels refuse or ignore the process in the link. */
	*ret_what = "mappings cannot be walked (iter/task_vma, Linux 5.12)";
	d->by_pid = true;
	if (walk(d, getpid(), nothing, NULL) == 0)
		return 0;
	d->by_pid = false;
	return walk(d, getpid(), nothing, NULL);
}

int discover_new(struct discover **ret, const struct discover_ops *ops, void *ctx, char *why,
		 size_t why_size)
{
	auto_free(discover) struct discover *d = calloc(1, sizeof(*d));
	const char *what;
	int r;

	if (!d)
		return -ENOMEM;
	d->ops = *ops;
	d->ctx = ctx;
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (d->epoll < 0)
		return -errno;
	r = start(d, &what);
	if (r) {
		snprintf(why, why_size, "%s: %s", what, strerror(-r));
		return r == -EACCES ? -EPERM : r;
	}
	*ret = steal(d);
	return 0;
}

void discover_free(struct discover **d)
{
	if (!*d)
		return;
	for (int cpu = 0; cpu < (*d)->n_rings; cpu++)
		close_ring(&(*d)->rings[cpu]);
	free((*d)->rings);
	free((*d)->live);
	ring_buffer__free((*d)->events);
	discover_bpf__destroy((*d)->bpf);
	own_close(&(*d)->epoll);
	for (size_t i = 0; i < ARRAY_SIZE((*d)->procs); i++) {
		for (size_t k = 0; (*d)->procs[i] && k < PIDS_PER_PAGE; k++)
			free((*d)->procs[i][k]);
		free((*d)->procs[i]);
	}
	free((*d)->wanted);
	free(*d);
	*d = NULL;
}
