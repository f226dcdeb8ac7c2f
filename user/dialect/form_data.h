/* user/dialect/form_data.h - a multipart/form-data body as values of a form: fields go to the rows
 * of their names, text files become documents, others attachments.
 */
#pragma once

#include "base/span.h"

struct port;
struct form_data;

/* 1; 0 when the content type is none of that kind, -ENOMEM. */
int form_data_new(struct form_data **ret, struct span content_type, struct port *port);
void form_data_free(struct form_data **f);
void form_data_feed(struct form_data *f, struct span in);
void form_data_gap(struct form_data *f, uint64_t n);
void form_data_end(struct form_data *f);
