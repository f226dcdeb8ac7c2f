/* user/dialect/reading_own.h - what the files of a reading share with each other: its life
 * (reading.c), what rows do (rows.c), images and files (media.c).
 */
#pragma once

#include "dialect/reading.h"

/* --- rows.c */

/* In an event of a stream that tells again what it told. */
bool reading_retelling(const struct reading *r);
/* Text or a file that belongs to no message is one of its own. */
void reading_own_message(struct reading *r, const struct json_event *e);
/* The message in hand is complete. */
void reading_item_end(struct reading *r);
/* An event inside of a value that is kept as JSON text. */
void reading_value_event(struct reading *r, const struct json_event *e);

/* --- media.c */

/* What content of this media type is; SKIP_MAX_: text, as far as known. */
enum skipped media_of(struct span type);
/* The attachments of a message or part that ends get what that said of them. */
void media_named(struct turn *t, const struct item *item);
void media_clear(struct port *port);
