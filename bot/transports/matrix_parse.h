/*
 * JSON as servers and strangers send it, parsed by jansson, which refuses a whole document for one
 * bad string: lone surrogates and bytes that are no UTF-8 become U+FFFD, as does U+0000; integers
 * that do not fit 64 bits and numbers that do not fit a double become null (a signature over such
 * an object then fails, as it must). Nesting beyond 100 and anything that is no JSON: NULL.
 */
#ifndef TRANSPORTS_MATRIX_PARSE_H
#define TRANSPORTS_MATRIX_PARSE_H

#include <stddef.h>

#include <jansson.h>

/* json_decref it; NULL when it is no JSON object, array or value. */
json_t *matrix_parse(const void *bytes, size_t length);

#endif
