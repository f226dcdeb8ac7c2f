/* user/dialect/template.h - prompts in which somebody rendered a conversation into one text: chat
 * templates (ChatML, Llama 2 and 3, Mistral, Gemma, Phi and Zephyr, DeepSeek, GLM), ReAct
 * scratchpads, documents between tags. Cut into segments again, so that each part is judged by who
 * wrote it.
 */
#pragma once

#include "dialect/turn.h"

/* Splits the request's segments whose text holds more than one part. flat(s) says of a segment that
 * its whole text is what the model gets, so that a template may stand in it; in others, which a
 * server will render itself, only documents between tags are looked for, and the control tokens of
 * a template stay where they are, for the detectors. Call once the request is complete. What memory
 * or caps do not allow stays whole. */
void template_split(struct turn *t, bool (*flat)(const struct segment *s));
