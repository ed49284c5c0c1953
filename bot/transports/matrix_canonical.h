/* Canonical JSON, what Matrix signs. Rules: Matrix specification, appendices, "Canonical JSON". */
#ifndef TRANSPORTS_MATRIX_CANONICAL_H
#define TRANSPORTS_MATRIX_CANONICAL_H

#include <jansson.h>

/* free() it. NULL when there is no canonical form: a real, an integer beyond 2^53, too deep. */
char *matrix_canonical(const json_t *value);
/* The same of an object without its "signatures" and "unsigned": what is signed. */
char *matrix_canonical_signable(const json_t *object);

#endif
