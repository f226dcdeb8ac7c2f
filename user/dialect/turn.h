/* user/dialect/turn.h - one call of an AI API, understood: what was said, by whom, with what trust.
 * Built by a dialect from an exchange; owned by it; texts are captured secrets, wiped on free.
 */
#pragma once

#include "base/buf.h"
#include "flow/flow.h"

enum segment_role {
	SEG_SYSTEM,
	SEG_DEVELOPER,
	SEG_USER,
	SEG_ASSISTANT,
	SEG_TOOL_CALL, /* arguments the model gives a tool */
	SEG_TOOL_RESULT,
	SEG_DOCUMENT, /* retrieved text, file content */
	SEG_REASONING,
	SEG_TOOL_DEFINITION,
	SEG_MAX_,
};

/* Who wrote it. */
enum origin {
	ORIGIN_OPERATOR,
	ORIGIN_USER,
	ORIGIN_MODEL,
	ORIGIN_TOOL,
	ORIGIN_RETRIEVED,
	ORIGIN_UNKNOWN,
	ORIGIN_MAX_
};

/* What follows from role and origin; selects detectors and thresholds. One bit each, so that a
 * detector names a set. */
enum trust {
	TRUST_OPERATOR = 1 << 0, /* system, developer */
	TRUST_USER = 1 << 1,
	TRUST_RETRIEVED = 1 << 2, /* documents, tool results, tool definitions of a remote server */
	TRUST_MODEL = 1 << 3,	  /* response text, reasoning, tool-call arguments */
	TRUST_ALL = TRUST_OPERATOR | TRUST_USER | TRUST_RETRIEVED | TRUST_MODEL,
};

#define SEGMENT_MAX                                                                                \
	(8 << 20) /* bytes of one segment kept; what is beyond is counted in missing               \
		   */
#define TURN_TEXT_MAX	  (64 << 20) /* of all segments of a turn */
#define TURN_SEGMENTS_MAX 4096
#define TURNS_MAX	  (512 << 20) /* bytes that all turns of a reader hold together */
#define TURN_ID_MAX	  128	      /* bytes of a model name or an id */
#define TURN_URL_MAX	  256	      /* of an attachment's address */
#define ATTACHMENTS_MAX	  64	      /* of a turn; more are counted in n_attachments only */

struct segment {
	enum segment_role role;
	enum origin origin;
	enum side side;		   /* in the request or in the response */
	struct buf text;	   /* UTF-8 */
	char name[TURN_ID_MAX];	   /* tool or file name, hostile */
	char call_id[TURN_ID_MAX]; /* of a tool call or result */
	uint32_t message;	   /* number of the message (item) it belongs to, in order */
	uint32_t source;  /* its dialect's own mark: which field of the message it came from */
	uint64_t missing; /* bytes known to be missing or beyond the cap */
	bool damaged;	  /* something is missing here, perhaps uncounted */
	size_t judged;	  /* bytes of text that were judged already: progress in a long exchange */
};

/* Content that was captured but not read as text. */
enum skipped {
	SKIP_IMAGE,
	SKIP_AUDIO,
	SKIP_VIDEO,
	SKIP_FILE,
	SKIP_TOKENS, /* token ids */
	SKIP_VECTOR, /* embeddings */
	SKIP_ENCRYPTED,
	SKIP_CHARSET, /* JSON in a character set that is not read */
	SKIP_CODING,  /* as it stands on the wire: its content coding broke, or a cap ended it */
	SKIP_MAX_
};

/* An image, a sound, a file: known by what it is, not read. */
struct attached {
	enum skipped what;
	enum side side;
	uint32_t message;
	uint64_t size;	  /* bytes as they stand in the body, base64 mostly; 0: a reference only */
	uint8_t hash[16]; /* XXH3 of those bytes, to recognise it elsewhere; zero without them */
	char media_type[64];	/* as declared, hostile */
	char name[TURN_ID_MAX]; /* a file's name or id */
	char url[TURN_URL_MAX]; /* where it is to be found, without query; "" when it came along */
};

/* What was asked of the API. Shown to people and upstream by name. */
enum operation {
	OP_UNKNOWN,
	OP_CHAT,
	OP_COMPLETION,
	OP_RESPONSE, /* OpenAI's Responses and alike: the server may hold the conversation */
	OP_REALTIME, /* turns over a socket */
	OP_EMBEDDING,
	OP_RERANK,
	OP_CLASSIFY, /* scores, labels, pooling */
	OP_MODERATION,
	OP_IMAGE,
	OP_AUDIO, /* speech from text, text from speech */
	OP_VIDEO,
	OP_OCR,
	OP_TOKEN_COUNT,	 /* also tokenize and detokenize */
	OP_INFERENCE,	 /* tensors in, tensors out */
	OP_FILE,	 /* upload, list, read, delete */
	OP_BATCH,	 /* many calls in one file */
	OP_FINE_TUNE,	 /* training jobs */
	OP_ASSISTANT,	 /* assistants, threads, runs, agents */
	OP_CONVERSATION, /* stored conversations and responses, read or changed */
	OP_VECTOR_STORE, /* a provider's own: the index, not its entries */
	OP_VECTOR_READ,	 /* entries of a vector database */
	OP_VECTOR_WRITE,
	OP_MODELS,	     /* list, describe */
	OP_MODEL_MANAGEMENT, /* pull, push, create, copy, delete, load, unload, adapters */
	OP_TOOL_PROTOCOL,    /* MCP and alike */
	OP_SERVER,	     /* the server's own state: slots, properties, metrics, cache */
	OP_MAX_
};

/* What became of the turn, as far as the wire shows. */
enum outcome {
	OUTCOME_UNKNOWN,
	OUTCOME_ANSWERED,
	OUTCOME_REFUSED,
	OUTCOME_BLOCKED,
	OUTCOME_TOOL_EXECUTED,
	OUTCOME_ERROR,
	OUTCOME_MAX_
};

/* What a provider's content filter said on the wire, by category. */
enum filter {
	FILTER_OTHER,
	FILTER_JAILBREAK,
	FILTER_INDIRECT_ATTACK,
	FILTER_HATE,
	FILTER_SEXUAL,
	FILTER_VIOLENCE,
	FILTER_SELF_HARM,
	FILTER_PROFANITY,
	FILTER_PROTECTED_TEXT,
	FILTER_PROTECTED_CODE,
	FILTER_BLOCKLIST,
	FILTER_MAX_,
};

struct turn {
	const struct exchange *exchange; /* valid as long as the turn */
	const char *dialect;		 /* its row's name, static */
	char provider[64]; /* "openai", "vllm", ... or the host when only the shape is known */
	enum operation operation;
	char request_model[TURN_ID_MAX], response_model[TURN_ID_MAX];
	char response_id[TURN_ID_MAX], previous_id[TURN_ID_MAX]; /* provider's conversation links */
	char conversation[TURN_ID_MAX]; /* a conversation or thread id given by either side */
	char
	    end_user[TURN_ID_MAX]; /* `user`, `safety_identifier`, ... as the application gave it */
	struct span credential;	   /* API key or bearer token of the request, borrowed from the
				      exchange; for a fingerprint only */
	struct span user_agent, forwarded_for; /* borrowed from the exchange */
	char source_ip[64], application[TURN_ID_MAX],
	    tenant[TURN_ID_MAX];  /* of the end user, as the application gave them */
	char object[TURN_ID_MAX]; /* what an operation is about: a model, file, collection, tool */
	/* A field of the request's head that says other than its body, static: whoever reads one is
	 * told another thing than whoever reads the other. NULL: none. */
	const char *contradiction;
	struct segment *segments;
	size_t n_segments, segments_room;
	struct attached *attachments; /* of ATTACHMENTS_MAX, NULL while there are none */
	size_t n_attachments;	      /* seen; at most ATTACHMENTS_MAX are kept */
	uint64_t *left; /* of TURNS_MAX, shared by the turns of one reader; NULL: no such limit */
	uint64_t taken; /* its own share */
	uint64_t skipped[SKIP_MAX_]; /* bytes */
	/* As reported; 0: unknown. cached (read) and cache_write are parts of input, reasoning of
	 * output. */
	uint64_t input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens;
	uint32_t n_choices;	/* answers to choose from */
	char finish_reason[32]; /* of the first choice */
	char error_code[64];	/* of an error response */
	enum outcome outcome;
	uint32_t filter_detected, filter_blocked; /* a bit 1 << enum filter for each category that
						     saw something, or blocked it */
	uint32_t json_broken;			  /* bodies or events that are not JSON */
	uint64_t json_skipped;			  /* values beyond the caps of the JSON reader */
	bool stream;				  /* the request asked for a stream */
	bool ended; /* the answer said of itself that it is complete: what the transport still held
		       is of no interest */
	/* Over a socket one exchange holds many turns, one after the other. */
	bool turn_ended;     /* in progress: one is complete, and outcome is its own */
	size_t first;	     /* segments of the one in hand begin here */
	uint32_t n_findings; /* the judge's own count */
	/* The judge's own, too: what of these sums it has told, turn by turn. */
	struct turn_told {
		bool any;
		uint32_t n_findings;
		uint64_t inspected, input_tokens, output_tokens, cached_tokens, cache_write_tokens,
		    reasoning_tokens;
	} told;
	uint64_t first_text_ns; /* when the first bytes of the response's text came; 0: none did */
	uint64_t held;		/* bytes of text in segments now */
	uint64_t inspected;	/* bytes of text that came into segments */
	uint64_t uninspected; /* bytes of text captured but not kept (caps), and skipped[] in all */
};

/* How long it took, in ns from the request's first byte; 0: not reached, or not known. */
struct timing {
	uint64_t first_byte_ns;	 /* of the response's body */
	uint64_t first_token_ns; /* of its text, when it came as a stream */
	uint64_t duration_ns;	 /* to the response's last byte */
	/* Output tokens: of a stream from its first text on, else of the whole duration. A socket's
	 * turns have none. */
	float tokens_per_second;
};
struct timing turn_timing(const struct turn *t);

/* Is the segment of the turn in hand, or did it grow in it? */
bool turn_in_hand(const struct turn *t, size_t segment);
/* All that the sums hold by now is told. */
void turn_tell(struct turn *t);
/* How many attachments are kept. */
size_t turn_attachments(const struct turn *t);
enum trust segment_trust(const struct segment *s);
const char *segment_role_name(enum segment_role r); /* "tool-result" */
const char *origin_name(enum origin o);
const char *operation_name(enum operation o);
const char *outcome_name(enum outcome o);
const char *filter_name(enum filter f); /* "indirect-attack" */
const char *skipped_name(enum skipped s);
