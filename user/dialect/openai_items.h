/* user/dialect/openai_items.h - an item of OpenAI's newer APIs: in the input and the output of
 * Responses, in what its servers keep of conversations, and in the events of both and of Realtime.
 */
#pragma once

#include "dialect/reading.h"

#define OPENAI_ITEM_ROWS 35

/* Rows for SHAPE("<where the item is>.", openai_item_rows); the item's object itself is
 * reading_item(). */
extern const struct shape_row openai_item_rows[OPENAI_ITEM_ROWS];
