/* user/dialect/azure_safety.c - Azure AI Content Safety, asked by itself: what an application has
 * checked before it lets a model see it, and the verdict.
 */
#include "dialect/reading.h"

static const struct shape_row request_rows[] = {
	{ "userPrompt", reading_another, FIELD_INPUT },
	{ "documents[]", reading_another, FIELD_DOCUMENT },
	{ "text", reading_another, FIELD_INPUT },
	{ "query", reading_another, FIELD_INPUT },
	{ "groundingSources[]", reading_another, FIELD_DOCUMENT },
	{ "image.content", reading_media, SKIP_IMAGE },
	{ "image.blobUrl", reading_media_ref, SKIP_IMAGE },
};

/* arg: enum filter */
static void on_detected(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (e->kind == JSON_TRUE)
		reading_filtered(r, (enum filter)arg, false);
}

/* One category and its severity, 0 to 7; the block's type holds the first while they come. */
static void on_category(struct reading *r, const struct json_event *e, unsigned arg)
{
	static const struct {
		const char *category;
		enum filter filter;
	} rows[] = {
		{ "Hate", FILTER_HATE },
		{ "SelfHarm", FILTER_SELF_HARM },
		{ "Sexual", FILTER_SEXUAL },
		{ "Violence", FILTER_VIOLENCE },
	};
	const struct item *block = &r->now->block;

	if (e->kind == JSON_OBJECT_END && r->now->part)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			if (!strcmp(block->type, rows[i].category))
				reading_filtered(r, rows[i].filter, false);
	reading_block(r, e, arg);
	r->now->part = 0; /* the severity */
}

static const struct shape_row response_rows[] = {
	{ "userPromptAnalysis.attackDetected", on_detected, FILTER_JAILBREAK },
	{ "documentsAnalysis[].attackDetected", on_detected, FILTER_INDIRECT_ATTACK },
	{ "protectedMaterialAnalysis.detected", on_detected, FILTER_PROTECTED_TEXT },
	{ "ungroundedDetected", on_detected, FILTER_OTHER },
	{ "blocklistsMatch[]", reading_block },
	{ "blocklistsMatch[].blocklistName", reading_turn_id, TURN_STR(object) },
	{ "categoriesAnalysis[]", on_category },
	{ "categoriesAnalysis[].category", reading_mark, PORT_STR(block.type) },
	{ "categoriesAnalysis[].severity", reading_number, offsetof(struct port, part) },
	ERROR_ROWS,
};

static const struct shape request_list[] = { SHAPE("", request_rows) },
			  response_list[] = { SHAPE("", response_rows) };
static struct shapes request = SHAPES(request_list), response = SHAPES(response_list);

static const char *const needs[] = { "userPrompt", "documents[]", NULL };

static const struct form form = {
	.name = "azure-content-safety",
	.summary = "Azure AI Content Safety: Prompt Shields and text analysis",
	.operation = OP_MODERATION,
	.request = &request,
	.response = &response,
	.needs = needs,
};

static const struct route routes[] = {
	{ "/contentsafety/text:shieldPrompt", &form },
	{ "/contentsafety/text:analyze", &form },
	{ "/contentsafety/text:detectProtectedMaterial", &form },
	{ "/contentsafety/text:detectGroundedness", &form },
	{ "/contentsafety/image:analyze", &form },
};

const struct dialect dialect_azure_safety = {
	.name = "azure-content-safety",
	.summary = "Azure AI Content Safety, asked by itself",
	ROUTES(routes),
};
