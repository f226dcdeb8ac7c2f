/* user/scan/intel_tool.c - what feeds come to, in figures. */
#include "scan/intel_tool.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_out.h"
#include "intel/load.h"

static void print_json(const struct load_map *m, FILE *out)
{
	struct json_out o = JSON_OUT(out, JSON_OUT_COMPACT);

	json_out_object(&o);
	json_out_key(&o, "indicators");
	json_out_u64(&o, m->head->n_entries);
	json_out_key(&o, "bytes");
	json_out_u64(&o, m->size);
	json_out_key(&o, "feeds");
	json_out_array(&o);
	for (uint64_t i = 0; i < m->head->n_feeds; i++) {
		json_out_object(&o);
		json_out_key(&o, "name");
		json_out_cstr(&o, m->head->feed[i].name);
		for (enum feed_count c = 0; c < FEED_COUNT_MAX_; c++) {
			json_out_key(&o, feed_count_names[c]);
			json_out_u64(&o, m->head->feed[i].n[c]);
		}
		json_out_end(&o);
	}
	json_out_end(&o);
	json_out_end(&o);
	json_out_done(&o);
}

static void print_table(const struct load_map *m, FILE *out)
{
	for (uint64_t i = 0; i < m->head->n_feeds; i++) {
		const struct intel_feed *f = &m->head->feed[i];
		char name[4 * INTEL_NAME_MAX];

		fprintf(out, "%s:", escape_str(name, sizeof(name), span_str(f->name)));
		for (enum feed_count c = 0; c < FEED_COUNT_MAX_; c++)
			if (f->n[c] || c == FEED_TAKEN)
				fprintf(out, "%s %" PRIu64 " %s", c == FEED_TAKEN ? "" : ",",
					f->n[c], feed_count_names[c]);
		fputc('\n', out);
	}
	fprintf(out, "%" PRIu64 " indicators, %zu KiB\n", m->head->n_entries, m->size >> 10);
}

int intel_check(const char *const *paths, size_t n, bool json, FILE *out, char *why,
		size_t why_size)
{
	struct load_map m = { 0 };
	int err = load_paths(paths, n, wall_ns() / NS_PER_SEC, &m, why, why_size);

	if (err)
		return err;
	(json ? print_json : print_table)(&m, out);
	load_unmap(&m);
	return 0;
}
