/* user/detect/finding_json.c - a finding's members. */
#include "detect/finding_json.h"

#include <string.h>

/* Words separated by blanks. */
static void put_ids(struct json_out *o, const char *key, const char *ids)
{
	json_out_key(o, key);
	json_out_array(o);
	while (*ids) {
		size_t n = strcspn(ids, " ");

		json_out_str(o, span_of(ids, n));
		ids += n + (ids[n] == ' ');
	}
	json_out_end(o);
}

void finding_json(struct json_out *o, const struct finding *f)
{
	const struct {
		const char *key, *value;
	} texts[] = {
		{ "kind", finding_kind(f) },
		{ "type", f->type },
		{ "mode", mode_name(f->mode) },
		{ "severity", severity_name(finding_severity(f, OUTCOME_ANSWERED)) },
		{ "origin", origin_name(f->origin) },
		{ "view", f->view },
		{ "why", f->why },
		{ "evidence", f->evidence },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_out_key(o, texts[i].key);
		json_out_cstr(o, texts[i].value);
	}
	json_out_key(o, "score");
	json_out_f64(o, (int)(f->score * 1000 + .5F) / 1000.0);
	put_ids(o, "atlas", finding_atlas(f));
	put_ids(o, "owasp", finding_owasp(f));
}
