/* user/capture/elf64.c - reads a hostile ELF file. Owns nothing: the descriptor is borrowed, all
 * memory is on the stack. */
#include "capture/elf64.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "capture/read_once.h"

#define CHUNK	    (64 << 10)
#define ONCE_MIN    (128 << 10) /* pieces so large are read in order, and once */
#define NAME_MAX_   64		/* bytes of a name that is looked for, with its NUL */
#define NAME_HITS   256		/* places in a string table that end in one of the names */
#define DYNAMIC_MAX 1024	/* entries; linkers write about 40 */

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE
#endif

static int fail(struct elf64 *e, int error, const char *why)
{
	e->why = why;
	return error;
}

int elf64_read(struct elf64 *e, uint64_t off, void *buf, size_t len)
{
	if (off > e->size || len > e->size - off)
		return fail(e, -EBADMSG, "points outside the file");
	if (len + ELF64_READ_COST > e->budget)
		return fail(e, -E2BIG, "too much to read");
	e->budget -= len + ELF64_READ_COST;
	for (size_t done = 0; done < len;) {
		uint8_t *to = (uint8_t *)buf + done;
		off_t at = (off_t)(off + done);
		ssize_t n = len < ONCE_MIN ? pread(e->fd, to, len - done, at)
					   : read_once(e->fd, to, len - done, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(e, -errno, "cannot be read");
		if (!n)
			return fail(e, -EBADMSG, "shrank while it was read");
		done += (size_t)n;
	}
	return 0;
}

/* The loadable segment that holds va in the file, with one of these flags. */
static const Elf64_Phdr *segment(const struct elf64 *e, uint64_t va, uint32_t flags)
{
	for (unsigned i = 0; i < e->n_ph; i++) {
		const Elf64_Phdr *p = &e->ph[i];

		if (p->p_type == PT_LOAD && p->p_flags & flags && va >= p->p_vaddr &&
		    va - p->p_vaddr < p->p_filesz)
			return p;
	}
	return NULL;
}

uint64_t elf64_code(const struct elf64 *e, uint64_t va, uint64_t *ret_off)
{
	const Elf64_Phdr *p = segment(e, va, PF_X);

	if (!p)
		return 0;
	*ret_off = p->p_offset + (va - p->p_vaddr);
	return p->p_filesz - (va - p->p_vaddr);
}

uint64_t elf64_code_at(const struct elf64 *e, uint64_t off)
{
	for (unsigned i = 0; i < e->n_ph; i++) {
		const Elf64_Phdr *p = &e->ph[i];

		if (p->p_type == PT_LOAD && p->p_flags & PF_X && off >= p->p_offset &&
		    off - p->p_offset < p->p_filesz)
			return p->p_filesz - (off - p->p_offset);
	}
	return 0;
}

static int read_va(struct elf64 *e, uint64_t va, void *buf, size_t len)
{
	const Elf64_Phdr *p = segment(e, va, PF_R | PF_X);

	if (!p || len > p->p_filesz - (va - p->p_vaddr))
		return fail(e, -EBADMSG, "an address is outside the segments");
	return elf64_read(e, p->p_offset + (va - p->p_vaddr), buf, len);
}

static int read_dynamic(struct elf64 *e, const Elf64_Phdr *p)
{
	const struct {
		int64_t tag;
		uint64_t *to;
	} rows[] = {
		{ DT_SYMTAB, &e->symtab },	 { DT_STRTAB, &e->strtab },
		{ DT_STRSZ, &e->strsz },	 { DT_GNU_HASH, &e->gnu_hash },
		{ DT_HASH, &e->hash },		 { DT_JMPREL, &e->jmprel },
		{ DT_PLTRELSZ, &e->jmprel_len }, { DT_RELA, &e->rela },
		{ DT_RELASZ, &e->rela_len },
	};
	Elf64_Dyn d[DYNAMIC_MAX];
	size_t n = p->p_filesz / sizeof(*d);
	int r;

	if (n > DYNAMIC_MAX)
		return fail(e, -E2BIG, "too many dynamic entries");
	r = elf64_read(e, p->p_offset, d, n * sizeof(*d));
	if (r)
		return r;
	for (size_t i = 0; i < n && d[i].d_tag != DT_NULL; i++)
		for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
			if (d[i].d_tag == rows[k].tag)
				*rows[k].to = d[i].d_un.d_val;
	return 0;
}

int elf64_open(struct elf64 *e, int fd)
{
	struct stat st;
	Elf64_Ehdr h;
	int r;

	*e = (struct elf64){ .fd = fd, .budget = ELF64_READ_MAX };
	if (fstat(fd, &st) < 0)
		return fail(e, -errno, "cannot be read");
	if (!S_ISREG(st.st_mode))
		return fail(e, -EBADMSG, "not a regular file");
	e->size = (uint64_t)st.st_size;
	if (e->size < sizeof(h))
		return fail(e, -EBADMSG, "not ELF");
	r = elf64_read(e, 0, &h, sizeof(h));
	if (r)
		return r;
	if (memcmp(h.e_ident, ELFMAG, SELFMAG))
		return fail(e, -EBADMSG, "not ELF");
	if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB ||
	    h.e_machine != MACHINE)
		return fail(e, -EOPNOTSUPP, "code for another machine");
	if (h.e_type != ET_DYN && h.e_type != ET_EXEC)
		return fail(e, -EOPNOTSUPP, "neither program nor library");
	if (h.e_phentsize != sizeof(Elf64_Phdr) || !h.e_phnum)
		return fail(e, -EBADMSG, "no program headers");
	if (h.e_phnum > ELF64_PH_MAX)
		return fail(e, -E2BIG, "too many program headers");
	r = elf64_read(e, h.e_phoff, e->ph, h.e_phnum * sizeof(*e->ph));
	if (r)
		return r;
	e->n_ph = h.e_phnum;
	for (unsigned i = 0; i < e->n_ph; i++) {
		const Elf64_Phdr *p = &e->ph[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_offset > e->size || p->p_filesz > e->size - p->p_offset)
			return fail(e, -EBADMSG, "a segment lies outside the file");
		if (p->p_vaddr + p->p_filesz < p->p_vaddr)
			return fail(e, -EBADMSG, "a segment wraps around");
	}
	for (unsigned i = 0; i < e->n_ph; i++)
		if (e->ph[i].p_type == PT_DYNAMIC)
			return read_dynamic(e, &e->ph[i]);
	return 0;
}

/* A function that this file defines, in a segment that is executed. */
static bool is_function(const struct elf64 *e, const Elf64_Sym *s)
{
	return ELF64_ST_TYPE(s->st_info) == STT_FUNC && s->st_shndx != SHN_UNDEF &&
	       segment(e, s->st_value, PF_X);
}

static int read_symbol(struct elf64 *e, uint64_t i, Elf64_Sym *ret)
{
	return read_va(e, e->symtab + i * sizeof(*ret), ret, sizeof(*ret));
}

/* 1 when dynamic symbol i is a function called name. */
static int symbol_is(struct elf64 *e, uint64_t i, const char *name, struct elf64_func *ret)
{
	size_t len = strlen(name) + 1;
	char buf[NAME_MAX_];
	Elf64_Sym s;
	int r = read_symbol(e, i, &s);

	if (r)
		return r;
	if (s.st_name >= e->strsz || len > e->strsz - s.st_name || !is_function(e, &s))
		return 0;
	r = read_va(e, e->strtab + s.st_name, buf, len);
	if (r || memcmp(buf, name, len))
		return r;
	*ret = (struct elf64_func){ s.st_value, s.st_size };
	return 1;
}

static int find_gnu(struct elf64 *e, const char *name, struct elf64_func *ret)
{
	struct {
		uint32_t n_buckets, first, n_bloom, shift;
	} head;
	uint32_t h = 5381, i, link;
	uint64_t buckets;
	int r = read_va(e, e->gnu_hash, &head, sizeof(head));

	if (r)
		return r;
	if (!head.n_buckets)
		return 0;
	for (const char *p = name; *p; p++)
		h = h * 33 + (uint8_t)*p;
	buckets = e->gnu_hash + sizeof(head) + 8 * (uint64_t)head.n_bloom;
	r = read_va(e, buckets + 4 * (uint64_t)(h % head.n_buckets), &i, sizeof(i));
	if (r || i < head.first)
		return r;
	for (unsigned n = 0; n < ELF64_CHAIN_MAX; n++, i++) {
		r = read_va(e, buckets + 4 * ((uint64_t)head.n_buckets + i - head.first), &link,
			    sizeof(link));
		if (r)
			return r;
		if ((link | 1) == (h | 1)) {
			r = symbol_is(e, i, name, ret);
			if (r)
				return r;
		}
		if (link & 1)
			return 0;
	}
	return fail(e, -E2BIG, "hash chain too long");
}

static int find_sysv(struct elf64 *e, const char *name, struct elf64_func *ret)
{
	uint32_t head[2], h = 0, i;
	int r = read_va(e, e->hash, head, sizeof(head));

	if (r)
		return r;
	if (!head[0])
		return 0;
	for (const char *p = name; *p; p++) {
		h = (h << 4) + (uint8_t)*p;
		h = (h ^ (h >> 24 & 0xf0)) & 0x0fffffff;
	}
	r = read_va(e, e->hash + sizeof(head) + 4 * (uint64_t)(h % head[0]), &i, sizeof(i));
	for (unsigned n = 0; !r && i; n++) {
		if (n == ELF64_CHAIN_MAX)
			return fail(e, -E2BIG, "hash chain too long or circular");
		r = symbol_is(e, i, name, ret);
		if (!r)
			r = read_va(e, e->hash + sizeof(head) + 4 * ((uint64_t)head[0] + i), &i,
				    sizeof(i));
	}
	return r;
}

/* The hash table is what the dynamic linker itself goes by: what it hides from us it hides from
 * everyone. */
int elf64_dynamic(struct elf64 *e, const char *const *names, unsigned n, struct elf64_func *ret)
{
	memset(ret, 0, n * sizeof(*ret));
	if (!e->symtab || !e->strtab || (!e->gnu_hash && !e->hash))
		return 0;
	for (unsigned i = 0; i < n; i++) {
		int r =
		    e->gnu_hash ? find_gnu(e, names[i], &ret[i]) : find_sysv(e, names[i], &ret[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A place in a string table where one of the names stands. It may be the tail of a longer string:
 * linkers share those. */
struct hit {
	uint32_t at; /* ascending */
	uint32_t name;
};

static int find_strings(struct elf64 *e, uint64_t off, uint64_t len, const char *const *names,
			unsigned n, struct hit *hits, unsigned *ret_n)
{
	uint8_t buf[CHUNK];

	*ret_n = 0;
	/* Chunks overlap by what a name needs. */
	for (uint64_t at = 0; at < len; at += sizeof(buf) - NAME_MAX_) {
		size_t have = MIN(sizeof(buf), len - at);
		const uint8_t *p = buf, *end = buf + have;
		int r = elf64_read(e, off + at, buf, have);

		if (r)
			return r;
		for (; (p = memmem(p, (size_t)(end - p), "SSL_", 4)); p++) {
			if ((size_t)(p - buf) >= sizeof(buf) - NAME_MAX_)
				break; /* the next chunk begins before this */
			for (unsigned i = 0; i < n; i++) {
				size_t k = strlen(names[i]) + 1;

				if ((size_t)(end - p) < k || memcmp(p, names[i], k))
					continue;
				if (*ret_n == NAME_HITS)
					return fail(e, -E2BIG, "too many like names");
				hits[(*ret_n)++] =
				    (struct hit){ (uint32_t)(at + (uint64_t)(p - buf)), i };
			}
		}
	}
	return 0;
}

static const struct hit *hit_at(const struct hit *hits, unsigned n, uint32_t at)
{
	while (n) {
		unsigned mid = n / 2;

		if (hits[mid].at == at)
			return &hits[mid];
		if (hits[mid].at < at) {
			hits += mid + 1;
			n -= mid + 1;
		} else {
			n = mid;
		}
	}
	return NULL;
}

int elf64_static(struct elf64 *e, const char *const *names, unsigned n, struct elf64_func *ret)
{
	bool global[ELF64_NAMES_MAX] = {};
	struct hit hits[NAME_HITS];
	Elf64_Shdr sh = {}, str;
	Elf64_Ehdr h;
	unsigned n_hits, i;
	int r;

	memset(ret, 0, n * sizeof(*ret));
	r = elf64_read(e, 0, &h, sizeof(h));
	if (r)
		return r;
	for (i = 0; i < h.e_shnum; i++) {
		r = elf64_read(e, h.e_shoff + i * sizeof(sh), &sh, sizeof(sh));
		if (r)
			return r;
		if (sh.sh_type == SHT_SYMTAB)
			break;
	}
	if (i == h.e_shnum)
		return 0; /* stripped */
	if (h.e_shentsize != sizeof(sh) || sh.sh_link >= h.e_shnum)
		return fail(e, -EBADMSG, "symbol table without strings");
	r = elf64_read(e, h.e_shoff + sh.sh_link * sizeof(str), &str, sizeof(str));
	if (r)
		return r;
	if (str.sh_size > UINT32_MAX || str.sh_size > e->budget || sh.sh_size > e->budget)
		return fail(e, -E2BIG, "symbol table too large");
	r = find_strings(e, str.sh_offset, str.sh_size, names, n, hits, &n_hits);
	if (r || !n_hits)
		return r;

	Elf64_Sym buf[CHUNK / sizeof(Elf64_Sym)];

	for (uint64_t at = 0, count = sh.sh_size / sizeof(*buf); at < count;
	     at += ARRAY_SIZE(buf)) {
		size_t have = MIN(ARRAY_SIZE(buf), count - at);

		r = elf64_read(e, sh.sh_offset + at * sizeof(*buf), buf, have * sizeof(*buf));
		if (r)
			return r;
		for (size_t k = 0; k < have; k++) {
			const struct hit *hit = hit_at(hits, n_hits, buf[k].st_name);
			bool g = ELF64_ST_BIND(buf[k].st_info) != STB_LOCAL;

			if (!hit || !is_function(e, &buf[k]) ||
			    (ret[hit->name].va && (!g || global[hit->name])))
				continue;
			/* Hidden symbols of a static library become local; a global one of the name
			 * is the better. */
			ret[hit->name] = (struct elf64_func){ buf[k].st_value, buf[k].st_size };
			global[hit->name] = g;
		}
	}
	return 0;
}

int elf64_slot(struct elf64 *e, uint64_t slot, uint64_t *ret)
{
	const struct {
		uint64_t va, len;
	} tables[] = { { e->jmprel, e->jmprel_len }, { e->rela, e->rela_len } };
	Elf64_Rela buf[CHUNK / sizeof(Elf64_Rela)];

	*ret = 0;
	for (unsigned t = 0; t < ARRAY_SIZE(tables); t++) {
		uint64_t count = tables[t].va ? tables[t].len / sizeof(*buf) : 0;

		for (uint64_t at = 0; at < count; at += ARRAY_SIZE(buf)) {
			size_t have = MIN(ARRAY_SIZE(buf), count - at);
			int r =
			    read_va(e, tables[t].va + at * sizeof(*buf), buf, have * sizeof(*buf));

			for (size_t i = 0; !r && i < have; i++) {
				Elf64_Sym s;

				if (buf[i].r_offset != slot || !ELF64_R_SYM(buf[i].r_info))
					continue;
				r = read_symbol(e, ELF64_R_SYM(buf[i].r_info), &s);
				if (!r && is_function(e, &s))
					*ret = s.st_value;
				return r;
			}
			if (r)
				return r;
		}
	}
	return 0;
}

static bool build_id_in(const uint8_t *p, size_t len, uint8_t ret[20], uint32_t *ret_len)
{
	while (len >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr n;
		uint64_t name, desc;

		memcpy(&n, p, sizeof(n));
		p += sizeof(n);
		len -= sizeof(n);
		name = ((uint64_t)n.n_namesz + 3) & ~UINT64_C(3);
		desc = ((uint64_t)n.n_descsz + 3) & ~UINT64_C(3);
		if (name > len || desc > len - name)
			return false;
		if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 && !memcmp(p, "GNU", 4)) {
			*ret_len = MIN(n.n_descsz, 20u);
			memcpy(ret, p + name, *ret_len);
			return true;
		}
		p += name + desc;
		len -= name + desc;
	}
	return false;
}

int elf64_build_id(struct elf64 *e, uint8_t ret[20], uint32_t *ret_len)
{
	*ret_len = 0;
	for (unsigned i = 0; i < e->n_ph; i++) {
		uint8_t buf[ELF64_NOTES_MAX];
		size_t len = MIN(e->ph[i].p_filesz, sizeof(buf));
		int r;

		if (e->ph[i].p_type != PT_NOTE)
			continue;
		r = elf64_read(e, e->ph[i].p_offset, buf, len);
		if (r)
			return r;
		if (build_id_in(buf, len, ret, ret_len))
			return 0;
	}
	return 0;
}
