/* user/alert/merge.c - findings merged into alerts. */
#include "alert/merge.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

#include "alert/chain.h"
#include "base/own.h"
#include "behave/conversation.h"

/* How far an attack got; an alert keeps the worst of its turns. */
static const uint8_t outcome_rank[] = {
	[OUTCOME_UNKNOWN] = 0, [OUTCOME_ERROR] = 1,    [OUTCOME_BLOCKED] = 2,
	[OUTCOME_REFUSED] = 3, [OUTCOME_ANSWERED] = 4, [OUTCOME_TOOL_EXECUTED] = 5,
};
static_assert(ARRAY_SIZE(outcome_rank) == OUTCOME_MAX_, "outcome without a rank");

void merge_key(uint8_t ret[MERGE_KEY_LEN], const char *kind, const Earshot__Context *x,
	       const char *conversation, ProtobufCBinaryData fingerprint)
{
	uint8_t in[4 * CHAIN_HASH_LEN] = { 0 };
	bool known = conversation && *conversation;

	chain_hash(span_str(kind), in);
	conversation_caller(x, in + CHAIN_HASH_LEN);
	if (known)
		chain_hash(span_str(conversation), in + 2 * (size_t)CHAIN_HASH_LEN);
	else
		chain_hash(span_of(fingerprint.data, fingerprint.len),
			   in + 3 * (size_t)CHAIN_HASH_LEN);
	chain_hash(span_of(in, sizeof(in)), ret);
}

/* A copy of any message, by way of its serialized form. */
static void *copy(const void *message)
{
	const ProtobufCMessage *m = message;
	size_t len = protobuf_c_message_get_packed_size(m);
	auto_mem uint8_t *raw = malloc(len + 1);

	if (!raw)
		return NULL;
	protobuf_c_message_pack(m, raw);
	return protobuf_c_message_unpack(m->descriptor, NULL, len, raw);
}

static int set_text(char **field, const char *s)
{
	char *v = s && *s ? strdup(s) : (char *)protobuf_c_empty_string;

	if (!v)
		return -ENOMEM;
	if (*field != protobuf_c_empty_string)
		free(*field);
	*field = v;
	return 0;
}

static int set_bytes(ProtobufCBinaryData *field, const uint8_t *p, size_t len)
{
	uint8_t *v = malloc(len);

	if (!v)
		return -ENOMEM;
	memcpy(v, p, len);
	free(field->data);
	*field = (ProtobufCBinaryData){ len, v };
	return 0;
}

/* Appends a pointer to a repeated field. */
static int append(void *list, size_t *n, void *element)
{
	void ***at = list;
	void **grown = realloc(*at, (*n + 1) * sizeof(**at));

	if (!grown)
		return -ENOMEM;
	grown[(*n)++] = element;
	*at = grown;
	return 0;
}

/* Splits "A B C" into a repeated string. */
static int set_words(char ***list, size_t *n, const char *words)
{
	while (words && *words) {
		size_t len = strcspn(words, " ");
		char *w = len ? strndup(words, len) : NULL;

		if (len && (!w || append(list, n, w))) {
			free(w);
			return -ENOMEM;
		}
		words += len + strspn(words + len, " ");
	}
	return 0;
}

static bool same_process(const Earshot__Process *a, const Earshot__Process *b)
{
	return a->pid == b->pid && a->start_ns == b->start_ns;
}

static bool same_exchange(const Earshot__Context *a, const Earshot__Context *b)
{
	return a->connection == b->connection && a->exchange == b->exchange &&
	       a->begin_mono_ns == b->begin_mono_ns;
}

/* Keeps p when it is new to the alert and there is room. 0, -ENOMEM. */
static int add_process(Earshot__Alert *a, const Earshot__Process *p)
{
	Earshot__Process *mine;

	if (!p || !a->context->process || same_process(a->context->process, p) ||
	    a->n_others == MERGE_OTHERS_MAX)
		return 0;
	for (size_t i = 0; i < a->n_others; i++)
		if (same_process(a->others[i], p))
			return 0;
	mine = copy(p);
	if (!mine || append(&a->others, &a->n_others, mine)) {
		if (mine)
			earshot__process__free_unpacked(mine, NULL);
		return -ENOMEM;
	}
	a->pids = 1 + (uint32_t)a->n_others;
	return 0;
}

static bool same_evidence(const Earshot__Evidence *a, const Earshot__Evidence *b)
{
	return !strcmp(a->type, b->type) && a->fingerprint.len == b->fingerprint.len &&
	       !memcmp(a->fingerprint.data, b->fingerprint.data, a->fingerprint.len);
}

/* Distinct evidence joins as the newest; of equal ones the surer, then the newer, is kept. 1 new,
 * 0, -ENOMEM. */
static int add_evidence(Earshot__Alert *a, const Earshot__Evidence *e, uint64_t when_ns)
{
	Earshot__Evidence *mine;
	size_t at = 0;
	int is_new;

	while (at < a->n_evidence && !same_evidence(a->evidence[at], e))
		at++;
	is_new = at == a->n_evidence;
	if (is_new ? at == MERGE_EVIDENCE_MAX : a->evidence[at]->score > e->score)
		return 0;
	mine = copy(e);
	if (!mine)
		return -ENOMEM;
	mine->time_ns = when_ns;
	if (!is_new) {
		earshot__evidence__free_unpacked(a->evidence[at], NULL);
		a->evidence[at] = mine;
	} else if (append(&a->evidence, &a->n_evidence, mine)) {
		earshot__evidence__free_unpacked(mine, NULL);
		return -ENOMEM;
	}
	a->confidence = MAX(a->confidence, (uint32_t)lroundf(mine->score * 100));
	return is_new;
}

/* By what became of it, and how much of it there is. Did it change? */
static bool grade(Earshot__Alert *a)
{
	enum kind k = kind_find(a->kind);
	Earshot__Severity was = a->severity;
	uint32_t raise = 0;

	/* An operator's rule says it once and for all. */
	if (k == KIND_MAX_ || k == KIND_CUSTOM)
		return false;
	for (size_t i = 0; i < a->n_evidence; i++)
		raise = MAX(raise, MIN(a->evidence[i]->raise, SEVERITY_CRITICAL));
	a->severity =
	    (Earshot__Severity)MIN(kinds[k].severity[a->outcome] + raise, SEVERITY_CRITICAL);
	return a->severity != was;
}

static int raise_outcome(Earshot__Alert *a, Earshot__Outcome o)
{
	if (outcome_rank[o] <= outcome_rank[a->outcome])
		return MERGE_NOTHING;
	a->outcome = o;
	grade(a);
	return MERGE_MATERIAL;
}

int merge_finding(Earshot__Alert *a, const Earshot__Finding *f, enum mode mode, uint64_t when_ns)
{
	enum merge change = MERGE_COUNT;
	int err;

	err = add_evidence(a, f->evidence, when_ns);
	if (err < 0)
		return err;
	if (err)
		change = MERGE_MATERIAL;
	err = add_process(a, f->context->process);
	if (err)
		return err;
	if (!f->history && raise_outcome(a, f->outcome))
		change = MERGE_MATERIAL;
	if (grade(a))
		change = MERGE_MATERIAL;
	if ((Earshot__Mode)mode < a->mode) { /* the stronger evidence makes an alert of a hunt */
		a->mode = (Earshot__Mode)mode;
		change = MERGE_MATERIAL;
	}
	a->count++;
	a->first_seen_ns = MIN(a->first_seen_ns, when_ns);
	a->last_seen_ns = MAX(a->last_seen_ns, when_ns);
	return change;
}

int merge_observation(Earshot__Alert *a, const Earshot__Observation *o)
{
	enum merge change = raise_outcome(a, o->outcome);

	if (same_exchange(a->context, o->context)) {
		/* The same exchange, now whole: status, answering model and completeness are known.
		 */
		Earshot__Context *whole = copy(o->context);

		if (!whole)
			return -ENOMEM;
		earshot__context__free_unpacked(a->context, NULL);
		a->context = whole;
		change = MAX(change, MERGE_COUNT);
	}
	return change;
}

static int fill(Earshot__Alert *a, const uint8_t id[MERGE_ID_LEN], const Earshot__Finding *f,
		enum kind k, const char *conversation, const char *host)
{
	const struct kind_row *row = &kinds[k];
	const Earshot__Rule *rule = f->rule;
	int err;

	a->mapping = malloc(sizeof(*a->mapping));
	if (!a->mapping)
		return -ENOMEM;
	earshot__mapping__init(a->mapping);
	a->mapping->data_version = KIND_DATA_VERSION;
	a->context = copy(f->context);
	if (!a->context)
		return -ENOMEM;
	if ((err = set_bytes(&a->id, id, MERGE_ID_LEN)) || (err = set_text(&a->kind, f->kind)) ||
	    (err = set_text(&a->title, rule ? rule->title : row->title)) ||
	    (err = set_text(&a->description, row->description)) ||
	    (err = set_text(&a->remediation, row->remediation)) ||
	    (err = set_text(&a->conversation, conversation)) || (err = set_text(&a->host, host)) ||
	    (err = set_words(&a->mapping->atlas, &a->mapping->n_atlas,
			     rule ? rule->atlas : row->atlas)) ||
	    (err = set_words(&a->mapping->owasp, &a->mapping->n_owasp,
			     rule ? rule->owasp : row->owasp)) ||
	    (err = set_words(&a->mapping->tactics, &a->mapping->n_tactics, row->tactics)))
		return err;
	a->severity = rule ? rule->severity : (Earshot__Severity)row->severity[OUTCOME_UNKNOWN];
	a->pids = f->context->process ? 1 : 0;
	return 0;
}

int merge_new(Earshot__Alert **ret, const uint8_t id[MERGE_ID_LEN], const Earshot__Finding *f,
	      enum mode mode, const char *conversation, const char *host, uint64_t when_ns)
{
	enum kind k = kind_find(f->kind);
	Earshot__Alert *a;
	int err;

	if (k == KIND_MAX_)
		return -EBADMSG;
	a = malloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	earshot__alert__init(a);
	a->mode = (Earshot__Mode)mode;
	a->first_seen_ns = when_ns;
	err = fill(a, id, f, k, conversation, host);
	if (!err)
		err = merge_finding(a, f, mode, when_ns);
	if (err < 0) {
		earshot__alert__free_unpacked(a, NULL);
		return err;
	}
	*ret = a;
	return 0;
}
