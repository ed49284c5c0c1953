/*
 * A card as Matrix shows it: the content of an m.room.message with a plain body that is complete on
 * its own and, where there is markup, HTML of allowed tags only (MATRIX.md §2 "Sending"). Choices
 * are numbered lines: a reaction would be readable by the server and is never a consent. Pure.
 */
#ifndef TRANSPORTS_MATRIX_BODY_H
#define TRANSPORTS_MATRIX_BODY_H

#include <stdbool.h>

#include <jansson.h>

struct card;

enum { MATRIX_BODY_SCALARS = 4000, MATRIX_BODY_BYTES = 64 * 1024 };

/* A new reference. `notify`: text, which raises a notification; else a notice, which does not.
 * `thread`: "ROOT\nEVENT" as matrix_json_thread gives it, or NULL. */
json_t *matrix_body_message(const struct card *card, bool notify, const char *thread);
/* The same as a replacement of the event `message`. */
json_t *matrix_body_edit(const struct card *card, bool notify, const char *message);

/* What a file's message says: `url` for a file in clear, `file` (stolen, as the specification's
 * EncryptedFile) for one that is encrypted; the card's text is its caption. */
json_t *matrix_body_file(const struct card *card, const char *url, json_t *file, size_t bytes,
    bool notify, const char *thread);

#endif
